// What every page has: the menu, dialogs that the backdrop closes, and notes next to what was pressed.
(() => {
  "use strict";

  for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;
  document.addEventListener("htmx:load", (event) => {
    for (const part of event.detail.elt.querySelectorAll?.(".needs-script") ?? []) part.hidden = false;
  });

  const menu = document.getElementById("menu");
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target) || event.target.closest("#help")) menu.open = false;
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // Both ends of the press must be outside: selecting text may end there.
  let pressedOutside = false;
  document.addEventListener("pointerdown", (event) => (pressedOutside = isOutside(event)));
  document.addEventListener("click", (event) => {
    if (pressedOutside && isOutside(event)) event.target.close();
  });

  function isOutside(event) {
    if (!event.target.matches?.("dialog[open]")) return false;
    const box = event.target.getBoundingClientRect();
    return (
      event.clientX < box.left ||
      event.clientX > box.right ||
      event.clientY < box.top ||
      event.clientY > box.bottom
    );
  }

  const note = document.getElementById("note");
  let timer = 0;

  // Shows nodes or text below or above the element until the next press, or for some milliseconds.
  // To the left, because what follows a time on a card is Cancel.
  function showNote(anchor, parts, milliseconds = 0) {
    clearTimeout(timer);
    note.replaceChildren(...parts);
    note.showPopover();
    const at = anchor.getBoundingClientRect();
    const below = at.bottom + 4;
    const fits = below + note.offsetHeight <= innerHeight;
    note.style.top = `${fits ? below : Math.max(4, at.top - 4 - note.offsetHeight)}px`;
    note.style.left = `${Math.max(4, at.right - note.offsetWidth)}px`;
    if (milliseconds) timer = setTimeout(() => note.hidePopover(), milliseconds);
  }

  document.addEventListener("scroll", () => note.hidePopover(), { passive: true });

  const said = [];
  let speaking = 0;

  // Sentences of one moment are read together: a later one would replace an earlier one unheard.
  function announce(sentence) {
    if (!said.includes(sentence)) said.push(sentence);
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      document.getElementById("announcements").textContent = said.join(" ");
      said.length = 0;
    }, 120);
  }

  window.batchboard = { announce, showNote };
})();
