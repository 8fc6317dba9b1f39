// Copies an ID or a link, and says so.
(() => {
  "use strict";

  const SHOWN_MS = 1500;

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const name = button.dataset.copyName ?? "ID";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      return offer(button, name);
    }
    mark(button);
    batchboard.showNote(button, ["Copied"], SHOWN_MS);
    batchboard.announce(`Copied the ${name}.`);
  });

  function mark(button) {
    const use = button.querySelector("use");
    const sprite = use?.getAttribute("href").split("#")[0];
    use?.setAttribute("href", `${sprite}#check`);
    button.toggleAttribute("data-copied", true);
    setTimeout(() => {
      use?.setAttribute("href", `${sprite}#copy`);
      button.removeAttribute("data-copied");
    }, SHOWN_MS);
  }

  // Browsers give pages no clipboard over plain HTTP. The text is ready to be copied by hand.
  function offer(button, name) {
    const field = document.createElement("input");
    field.readOnly = true;
    field.value = button.dataset.copy;
    field.ariaLabel = name;
    batchboard.showNote(button, [`Copying needs HTTPS. The ${name} is `, field]);
    batchboard.announce(`Copying needs HTTPS. The ${name} is ${button.dataset.copy}`);
    field.select();
  }
})();
