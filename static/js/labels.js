// Escape leaves a form that is edited in place, as its own link does.
(() => {
  "use strict";

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const form = event.target.closest("form[data-editing]");
    form?.querySelector("#labels-leave")?.click();
  });

  // Saved or left: the polls that waited may go on.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "labels" && !event.target.matches("form")) {
      document.dispatchEvent(new Event("batchboard:idle"));
    }
  });
})();
