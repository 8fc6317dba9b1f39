// Keeps the list still under a pointer or a finger.
(() => {
  "use strict";

  // A press this soon after its card moved was meant for what was there before.
  const TOO_SOON = 400;
  const LONGEST_HOLD = 10_000;
  // Filters replace the list.
  const list = () => document.getElementById("cards");
  if (!list()) return;

  // Held cards keep their height. A style sheet of its own, as htmx resets the elements' styles.
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const held = new Map();
  const before = new Map();
  let timer = 0;

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const card = event.target;
    if (card.matches("#cards > .card")) before.set(card.id, card.getBoundingClientRect().height);
  });

  document.addEventListener("htmx:oobAfterSwap", () => {
    if (before.size && list().matches(":hover")) {
      for (const [id, height] of before) if (!held.has(id)) held.set(id, height);
      timer ||= setTimeout(release, LONGEST_HOLD);
      write();
    }
    before.clear();
  });

  document.addEventListener("pointerover", (event) => held.size && !list().contains(event.target) && release());
  document.documentElement.addEventListener("pointerleave", release);

  function release() {
    clearTimeout(timer);
    timer = 0;
    held.clear();
    write();
  }

  function write() {
    const rules = [...held].map(([id, height]) => `#${CSS.escape(id)} { block-size: ${height}px; overflow: clip; }`);
    sheet.replaceSync(rules.join(""));
  }

  // Where each card was, and when it last moved.
  const places = new Map();

  function note() {
    const now = performance.now();
    for (const card of list().querySelectorAll(".card")) {
      const top = card.getBoundingClientRect().top + window.scrollY;
      const known = places.get(card.id);
      if (!known) places.set(card.id, { top, movedAt: -TOO_SOON });
      else if (Math.abs(known.top - top) > 1) Object.assign(known, { top, movedAt: now });
    }
  }

  new ResizeObserver(note).observe(document.getElementById("main"));
  document.addEventListener("htmx:oobAfterSwap", note);
  document.addEventListener("htmx:afterSwap", note);
  note();

  window.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest?.("form[data-cancel] button");
      // A press of a key has no detail.
      if (!button || event.detail === 0) return;
      note();
      const place = places.get(button.closest(".card")?.id);
      if (!place || performance.now() - place.movedAt >= TOO_SOON) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
})();
