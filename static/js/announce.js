// Announces to screen readers when a card on the page changes its state.
(() => {
  "use strict";

  const changes = [];
  let timer = 0;

  // Without details such as for how long, which change with the time.
  function state(card) {
    const words = card?.querySelector("[data-field=state]")?.cloneNode(true);
    for (const detail of words?.querySelectorAll("small") ?? []) detail.remove();
    return words?.textContent.replace(/\s+/g, " ").trim() ?? "";
  }

  document.addEventListener("htmx:oobBeforeSwap", (event) => note(event.target, event.detail.fragment));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.shouldSwap || !event.target.matches(".card")) return;
    note(event.target, new DOMParser().parseFromString(event.detail.serverResponse, "text/html"));
  });

  function note(card, fragment) {
    if (!card.matches(".card")) return;
    const after = state(fragment.querySelector(".card"));
    if (!after || after === state(card)) return;
    changes.push(`Batch ${card.querySelector("[data-field=name], h2 a").textContent.trim()}: ${after}.`);
    clearTimeout(timer);
    // One announcement for all cards that change in one poll.
    timer = setTimeout(announce, 100);
  }

  function announce() {
    const more = changes.length > 5 ? ` And ${changes.length - 5} more.` : "";
    batchboard.announce(changes.slice(0, 5).join(" ") + more);
    changes.length = 0;
  }
})();
