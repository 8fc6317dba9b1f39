// Polls leave alone what a person reads, selects or types on a batch's page.
(() => {
  "use strict";

  // News for regions that are in use, by their ID.
  const waiting = new Map();

  // Relative times change by themselves, so their moments are compared.
  function shown(region) {
    const copy = region.cloneNode(true);
    for (const time of copy.querySelectorAll("time[data-relative]")) {
      if (time.dataset.relative) time.textContent = time.dateTime;
    }
    return JSON.stringify({ ...region.dataset }) + copy.textContent.replace(/\s+/g, " ");
  }

  function isInUse(region) {
    const selection = getSelection();
    const isSelected =
      !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(region);
    const active = document.activeElement;
    return isSelected || (region.contains(active) && active.matches("input, select, textarea"));
  }

  // What a person has unfolded stays open.
  function keepOpen(region, fresh) {
    for (const fold of region.querySelectorAll("details[id][open]")) {
      fresh.querySelector(`#${CSS.escape(fold.id)}`)?.setAttribute("open", "");
    }
  }

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const region = event.detail.target;
    const fresh = event.detail.fragment.querySelector?.("[data-region]");
    if (!fresh || !region.matches("[data-region]")) return;
    waiting.delete(region.id);
    if (shown(region) === shown(fresh)) {
      event.detail.shouldSwap = false;
    } else if (isInUse(region)) {
      event.detail.shouldSwap = false;
      waiting.set(region.id, fresh.cloneNode(true));
    } else {
      keepOpen(region, fresh);
    }
  });

  function showWaiting() {
    for (const [id, fresh] of waiting) {
      const region = document.getElementById(id);
      if (region && isInUse(region)) continue;
      waiting.delete(id);
      if (!region) continue;
      fresh.removeAttribute("hx-swap-oob");
      for (const button of fresh.querySelectorAll(".needs-script")) button.hidden = false;
      keepOpen(region, fresh);
      region.replaceWith(fresh);
      htmx.process(fresh);
    }
  }

  document.addEventListener("selectionchange", showWaiting);
  document.addEventListener("focusout", () => setTimeout(showWaiting));

  // Fills in the text before the script that copies sees the press.
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("[data-copy-from]");
      if (button) button.dataset.copy = document.getElementById(button.dataset.copyFrom).textContent;
    },
    true,
  );
})();
