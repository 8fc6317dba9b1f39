// Cancel buttons open a dialog that polls never replace.
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
    fill("figures", target.querySelector("[data-field=requests]").textContent);
    problem.hidden = true;
    form.reset();
    form.action = button.closest("form").getAttribute("action");
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
  // Polls wait while the dialog is open.
  dialog.addEventListener("close", () => document.dispatchEvent(new Event("batchboard:idle")));

  form.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return show(event.detail.xhr);
    dialog.close();
    document.getElementById(card)?.focus();
  });

  // The heading and the first sentences of an error page say what happened.
  function show(xhr) {
    const page = new DOMParser().parseFromString(xhr?.responseText ?? "", "text/html");
    const sentences = [...page.querySelectorAll("main h1, main h1 ~ p")]
      .map((part) => part.textContent.trim())
      .slice(0, 3)
      .join(". ")
      .replaceAll("..", ".");
    problem.textContent =
      sentences || "No answer came. Your request may have been saved. Reload to check.";
    problem.hidden = false;
  }
})();
