// Single-key shortcuts, which can be switched off (WCAG 2.1.4).
(() => {
  "use strict";

  const OFF = "batchboard.shortcuts-off";
  const dialog = document.getElementById("shortcuts-dialog");
  // The checkboxes in the dialog and on the account page.
  const choices = [...document.querySelectorAll("[data-shortcuts]")];
  const help = document.getElementById("help");
  if (!dialog) return;

  show(localStorage.getItem(OFF) !== "yes");
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      localStorage.setItem(OFF, choice.checked ? "no" : "yes");
      show(choice.checked);
    });
  }
  help.addEventListener("click", () => dialog.showModal());

  const actions = {
    "/": () => document.getElementById("search")?.focus(),
    "?": () => dialog.showModal(),
    j: () => move(1),
    k: () => move(-1),
    o: () => open(),
    Enter: () => open(),
    c: () => document.activeElement?.closest(".card")?.querySelector("form[data-cancel] button")?.click(),
    p: () => document.getElementById("pause")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    // Enter keeps its meaning for links and buttons.
    const isTaken = event.key === "Enter" && !event.target.matches(".card");
    const isTyping = event.target.closest("input, select, textarea, dialog");
    if (!action || isTaken || isTyping || event.ctrlKey || event.metaKey || event.altKey || !choices[0].checked) return;
    event.preventDefault();
    action();
  });

  function open() {
    document.activeElement?.closest(".card")?.querySelector("h2 a")?.click();
  }

  function show(isOn) {
    for (const choice of choices) choice.checked = isOn;
  }

  function move(step) {
    const cards = [...document.querySelectorAll("#cards .card")];
    if (!cards.length) return;
    const here = cards.indexOf(document.activeElement?.closest(".card"));
    const next = here < 0 ? (step > 0 ? 0 : cards.length - 1) : here + step;
    cards[Math.min(Math.max(next, 0), cards.length - 1)].focus();
  }
})();
