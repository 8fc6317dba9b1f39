// Copies an id, and says so.
(() => {
  "use strict";

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    let said = "The id is copied.";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.toggleAttribute("data-copied", true);
      setTimeout(() => button.removeAttribute("data-copied"), 1500);
    } catch {
      // Over plain HTTP the browser has no clipboard for pages.
      said = `This browser lets no page copy here. The id is ${button.dataset.copy}.`;
    }
    document.getElementById("announcements").textContent = said;
  });
})();
