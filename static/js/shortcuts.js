// Single-key shortcuts, which can be switched off (WCAG 2.1.4).
(() => {
  "use strict";

  const OFF = "batchboard.shortcuts-off";
  const help = document.getElementById("help");
  if (!help) return;

  // Only with this script is there anything to show.
  document.getElementById("announcements").insertAdjacentHTML(
    "beforebegin",
    `<dialog id="shortcuts-dialog" class="dialog" aria-labelledby="shortcuts-title">
      <h2 id="shortcuts-title">Keyboard shortcuts</h2>
      <dl class="keys">
        <div><dt><kbd>/</kbd></dt><dd>search</dd></div>
        <div><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous batch</dd></div>
        <div><dt><kbd>Enter</kbd> <kbd>o</kbd></dt><dd>open the focused batch</dd></div>
        <div><dt><kbd>c</kbd></dt><dd>cancel the focused batch (asks first)</dd></div>
        <div><dt><kbd>p</kbd></dt><dd>pause and resume live updates</dd></div>
        <div><dt><kbd>?</kbd></dt><dd>show shortcuts</dd></div>
      </dl>
      <label class="choice">
        <input type="checkbox" id="shortcuts-on" data-shortcuts checked> Use single-key shortcuts in this browser</label>
      <form method="dialog" class="dialog-actions">
        <button type="submit" id="shortcuts-close" autofocus>Close</button>
      </form>
    </dialog>`,
  );
  const dialog = document.getElementById("shortcuts-dialog");
  // The checkboxes in the dialog and on the account page.
  const choices = [...document.querySelectorAll("[data-shortcuts]")];

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
