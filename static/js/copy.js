// Copies an ID or a link, and announces it.
(() => {
  "use strict";

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const name = button.dataset.copyName ?? "ID";
    let message = `Copied the ${name}.`;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.toggleAttribute("data-copied", true);
      setTimeout(() => button.removeAttribute("data-copied"), 1500);
    } catch {
      // Browsers give pages no clipboard over plain HTTP.
      message = `Copying needs HTTPS. The ${name} is ${button.dataset.copy}`;
    }
    document.getElementById("announcements").textContent = message;
  });
})();
