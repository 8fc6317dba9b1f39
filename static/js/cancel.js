// Cancel buttons open a dialog that polls never replace. The card shows what becomes of the press.
(() => {
  "use strict";

  // An Enter sooner than this after the dialog opened was not meant for it, in ms.
  const TOO_SOON = 400;
  const LONGEST_WAIT = 15_000;
  const COUNTS = ["processing", "succeeded", "errored", "canceled", "expired"];
  // Parts of a list's card that have no name; a batch's own page names them.
  const PLACES = {
    name: "h2 a",
    workspace: "header p bdi",
    owner: "header p bdi + bdi",
    elapsed: ".times time",
    estimate: ".cost",
  };
  const UNANSWERED =
    "Batchboard didn’t answer. Your cancel request may have been saved. " +
    "Reload to check, or press Cancel again: two presses are one cancellation.";

  const dialog = document.getElementById("cancel-dialog");
  if (!dialog) return;
  const form = dialog.querySelector("form");
  const reason = document.getElementById("cancel-reason");

  let asked = { id: "", url: "" };
  let openedAt = 0;
  // By the ID of a card: cards whose press has no answer yet, messages, and unsent reasons.
  const requesting = new Set();
  const messages = new Map();
  const reasons = new Map();
  // What stands on a card in place of its state, which comes back if the press fails.
  const states = new WeakMap();

  document.addEventListener("click", (event) => {
    const button = event.target.closest("form[data-cancel] button");
    if (!button || event.defaultPrevented) return;
    event.preventDefault();
    const card = button.closest(".card");
    if (!requesting.has(card.id)) ask(card, button.closest("form[data-cancel]"));
  });

  function ask(card, cancelForm) {
    asked = { id: card.id, url: cancelForm.action };
    describe(card);
    reason.value = reasons.get(card.id) ?? "";
    card.toggleAttribute("data-asking", true);
    openedAt = performance.now();
    dialog.showModal();
    document.getElementById("cancel-confirm").focus({ preventScroll: true });
    // Where it is higher than the window, it begins with the name of the batch.
    dialog.scrollTop = 0;
  }

  // The batch as people know it, in the words of its card.
  function describe(card) {
    const words = (name) => text(card.querySelector(`[data-field="${name}"], ${PLACES[name]}`));
    const total = COUNTS.reduce((sum, name) => sum + Number(card.dataset[name]), 0);
    const elapsed = words("elapsed");
    const parts = [
      words("workspace"),
      words("owner"),
      `${total.toLocaleString("en-US")} request${total === 1 ? "" : "s"}`,
      elapsed && `running ${elapsed}`,
      words("estimate"),
    ].filter(Boolean);
    fill("name", words("name") || card.dataset.batch);
    fill("batch", card.dataset.batch);
    fill("subject", ...parts.flatMap((part, place) => (place ? [" · ", isolated(part)] : [isolated(part)])));
  }

  function text(element) {
    return element?.textContent.replace(/\s+/g, " ").trim() ?? "";
  }

  function fill(name, ...content) {
    dialog.querySelector(`[data-fill="${name}"]`).replaceChildren(...content);
  }

  // Text of either direction, which must not reorder what stands around it.
  function isolated(part) {
    const element = document.createElement("bdi");
    element.textContent = part;
    return element;
  }

  form.addEventListener("keydown", (event) => {
    const isPress = event.key === "Enter" || (event.key === " " && event.target.matches("button"));
    const isTooSoon = event.repeat || performance.now() - openedAt < TOO_SOON;
    if (isPress && isTooSoon) event.preventDefault();
  });

  // The second half of a double click on Cancel.
  form.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("button")) event.preventDefault();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = new FormData(form);
    dialog.close();
    send(asked, body);
  });

  document.getElementById("cancel-keep").addEventListener("click", () => dialog.close());

  // A drag that began inside, as one that selects text, doesn't close the dialog.
  let beganOutside = false;
  dialog.addEventListener("pointerdown", (event) => {
    beganOutside = isOutside(event);
  });
  dialog.addEventListener("click", (event) => {
    if (beganOutside && isOutside(event)) dialog.close();
  });

  function isOutside(event) {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const { clientX: x, clientY: y } = event;
    return event.target === dialog && (x < left || x > right || y < top || y > bottom);
  }

  dialog.addEventListener("close", () => {
    document.getElementById(asked.id)?.removeAttribute("data-asking");
    reasons.set(asked.id, reason.value);
    // Polls wait while the dialog is open.
    document.dispatchEvent(new Event("batchboard:idle"));
  });

  async function send({ id, url }, body) {
    const card = document.getElementById(id);
    const before = stateOf(card);
    forget(id);
    requesting.add(id);
    dress(card);
    card.focus();
    const subject = text(dialog.querySelector("[data-fill=name]"));
    batchboard.announce(`Requesting cancel of ${subject}.`);
    const page = await answer(url, body);
    requesting.delete(id);
    const fresh = page?.querySelector(".card");
    if (!fresh) return fail(id, before, sentences(page) || UNANSWERED);
    if (!fresh.querySelector("form[data-cancel]")) reasons.delete(id);
    const message = page.querySelector("[data-cancel-message]");
    if (message?.matches("[role=status]")) batchboard.announce(text(message));
    if (message) keep(id, stateOf(fresh), message);
    // By htmx, so that other scripts notice as when a poll brings the card.
    fresh.setAttribute("hx-swap-oob", "true");
    htmx.swap(document.body, fresh.outerHTML, { swapStyle: "none" });
    reveal(id);
  }

  // The page that the server answers with; null if none comes.
  async function answer(url, body) {
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
        headers: { "HX-Request": "true", "HX-Current-URL": location.href },
        // The request reaches the server even if the person leaves the page right away.
        keepalive: true,
        signal: AbortSignal.timeout(LONGEST_WAIT),
      });
      const redirect = response.headers.get("HX-Redirect");
      if (redirect) {
        location.assign(redirect);
        // This page is about to go: it has nothing to show any more.
        return new Promise(() => {});
      }
      return new DOMParser().parseFromString(await response.text(), "text/html");
    } catch {
      return null;
    }
  }

  function fail(id, before, sentence) {
    const card = document.getElementById(id);
    if (!card) return;
    undress(card);
    // A poll may have brought what the press has done.
    if (stateOf(card) !== before) return;
    const message = copyOf("cancel-problem").querySelector("[data-cancel-message]");
    message.querySelector("p").textContent = sentence;
    keep(id, before, message);
    dress(card);
    reveal(id);
  }

  // The heading and the first sentences of an error page say what happened.
  function sentences(page) {
    return [...(page?.querySelectorAll("main h1, main h1 ~ p") ?? [])]
      .map((part) => text(part))
      .slice(0, 3)
      .join(". ")
      .replaceAll("..", ".");
  }

  // Shows on a card, also on one that a poll brings, what its press has come to.
  function dress(card) {
    const { id } = card;
    if (requesting.has(id)) {
      card.setAttribute("aria-busy", "true");
      card.toggleAttribute("data-requesting", true);
      const place = card.querySelector("[data-field=state]");
      if (place && !states.has(card)) {
        states.set(card, [...place.childNodes]);
        place.replaceChildren(copyOf("cancel-requesting"));
      }
    }
    const message = messages.get(id);
    if (!message) return;
    if (message.state === stateOf(card)) card.append(message.element.cloneNode(true));
    else messages.delete(id);
  }

  function undress(card) {
    card.removeAttribute("aria-busy");
    card.removeAttribute("data-requesting");
    if (states.has(card)) card.querySelector("[data-field=state]").replaceChildren(...states.get(card));
    states.delete(card);
  }

  document.addEventListener(
    "htmx:oobBeforeSwap",
    (event) => {
      const card = event.detail.fragment.querySelector(".card");
      if (card && event.target.matches(".card")) dress(card);
    },
    // Before the scripts that compare the card with the one on the page.
    true,
  );

  // A message stays until the state changes or the person dismisses it.
  function keep(id, state, element) {
    element.append(copyOf("cancel-dismiss"));
    element.querySelector("button").id = `dismiss-${id}`;
    messages.set(id, { state, element });
  }

  // Only while the card has the focus: a person who went on must not lose their place.
  function reveal(id) {
    const card = document.getElementById(id);
    if (card !== document.activeElement) return;
    card?.querySelector("[data-cancel-message]")?.scrollIntoView({ block: "nearest" });
  }

  function forget(id) {
    messages.delete(id);
    document.getElementById(id)?.querySelector("[data-cancel-message]")?.remove();
  }

  document.addEventListener("click", (event) => {
    const card = event.target.closest("[data-cancel-message] button")?.closest(".card");
    if (!card) return;
    forget(card.id);
    card.focus();
  });

  function stateOf(card) {
    return `${card.dataset.status} ${card.dataset.outcome}`;
  }

  function copyOf(template) {
    return document.getElementById(template).content.cloneNode(true);
  }
})();
