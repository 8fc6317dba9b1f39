// Copies an ID or a link, and says so.
(() => {
  "use strict";

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const name = button.dataset.copyName ?? "ID";
    let said = `The ${name} is copied.`;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.toggleAttribute("data-copied", true);
      setTimeout(() => button.removeAttribute("data-copied"), 1500);
    } catch {
      // Over plain HTTP the browser has no clipboard for pages.
      said = `Copying needs HTTPS. The ${name} is ${button.dataset.copy}`;
    }
    document.getElementById("announcements").textContent = said;
  });
})();
