// Adds to a list's cards what only scripts need, which keeps the page small: the scale of the
// elapsed time, buttons that copy, and the IDs that focus needs.
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const copy = document.getElementById("copy-button");

  function complete(card) {
    // With it, a script can focus the card.
    card.tabIndex = -1;
    const cancel = card.querySelector("form[data-cancel] button");
    // With an ID, the focus survives a swap.
    if (cancel) cancel.id = card.id.replace("batch-", "cancel-");
    if (copy && !card.querySelector(".copy")) card.querySelector(".card-name").append(copyButton(card));
    for (const pace of card.querySelectorAll("[data-usual]")) drawPace(card, pace);
  }

  function copyButton(card) {
    const button = copy.content.firstElementChild.cloneNode(true);
    button.id = card.id.replace("batch-", "copy-");
    button.dataset.copy = card.dataset.batch;
    button.setAttribute("aria-label", `Copy the ID of ${card.querySelector("h2").textContent}`);
    return button;
  }

  // From zero to beyond the p90 or the present: the band from p50 to p90, and a mark for now.
  function drawPace(card, pace) {
    const [p50, p90] = pace.dataset.usual.split(" ").map(Number);
    const created = card.querySelector(".card-times time")?.dateTime;
    const elapsed = Math.max(0, (Date.now() - Date.parse(created)) / 1000);
    const longest = Math.max(p90 * 1.25, elapsed * 1.02, 1);
    const percent = (seconds) => `${((100 * seconds) / longest).toFixed(2)}%`;
    let scale = pace.querySelector("svg");
    if (!scale) {
      scale = document.createElementNS(SVG, "svg");
      scale.setAttribute("aria-hidden", "true");
      for (const name of ["band", "past", "now"]) {
        const part = document.createElementNS(SVG, "rect");
        part.setAttribute("class", name);
        scale.append(part);
      }
      pace.prepend(scale);
    }
    const [band, past, now] = scale.children;
    band.setAttribute("x", percent(p50));
    band.setAttribute("width", percent(Math.max(p90 - p50, longest / 100)));
    past.setAttribute("width", percent(elapsed));
    now.setAttribute("x", percent(elapsed));
    pace.toggleAttribute("data-late", elapsed > p90);
  }

  function completeAll() {
    for (const card of document.querySelectorAll("#cards > .card")) complete(card);
  }

  // Before htmx looks for the element that had the focus.
  document.addEventListener("htmx:oobAfterSwap", completeAll);
  document.addEventListener("htmx:afterSwap", completeAll);
  setInterval(completeAll, 5000);
  completeAll();
  document.querySelector("#tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
})();
