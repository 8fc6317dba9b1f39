// Cancel asks in a dialog that stands outside everything that polls replace.
(() => {
  "use strict";

  const dialog = document.getElementById("cancel-dialog");
  if (!dialog) return;
  const form = dialog.querySelector("form");
  const problem = document.getElementById("cancel-problem");
  let card = "";

  document.addEventListener("click", (event) => {
    const button = event.target.closest("form[data-cancel] button");
    if (!button) return;
    event.preventDefault();
    ask(button.closest(".card"), button);
  });

  function ask(target, button) {
    card = target.id;
    fill("batch", target.dataset.batch);
    fill("figures", button.dataset.figures);
    problem.hidden = true;
    form.reset();
    form.action = button.getAttribute("formaction");
    form.setAttribute("hx-post", form.action);
    form.setAttribute("hx-target", `#${CSS.escape(card)}`);
    htmx.process(form);
    dialog.showModal();
    document.getElementById("cancel-confirm").focus();
  }

  function fill(name, text) {
    dialog.querySelector(`[data-fill="${name}"]`).textContent = text;
  }

  document.getElementById("cancel-keep").addEventListener("click", () => dialog.close());
  // Left or done: the polls that waited may go on.
  dialog.addEventListener("close", () => document.dispatchEvent(new Event("batchboard:idle")));

  form.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return show(event.detail.xhr);
    dialog.close();
    document.getElementById(card)?.focus();
  });

  // An error page says what happened in its heading and its first sentences.
  function show(xhr) {
    const page = new DOMParser().parseFromString(xhr?.responseText ?? "", "text/html");
    const said = [...page.querySelectorAll("main h1, main h1 ~ p")]
      .map((part) => part.textContent.trim())
      .slice(0, 3)
      .join(". ")
      .replaceAll("..", ".");
    problem.textContent =
      said || "No answer came. Your request may have been saved. Reload to check.";
    problem.hidden = false;
  }
})();
