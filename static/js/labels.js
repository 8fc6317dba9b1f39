// Escape closes the form in place, as its "Discard changes" does.
(() => {
  "use strict";

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const form = event.target.closest("form[data-editing]");
    form?.querySelector("#labels-leave")?.click();
  });

  // Polls wait while the form is open.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "labels" && !event.target.matches("form")) {
      document.dispatchEvent(new Event("batchboard:idle"));
    }
  });
})();
