// Adds to a list's cards what their words already say or only scripts need, which keeps the page
// small: bars, the scale of the elapsed time, buttons that copy, and the IDs that focus needs.
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const COUNTED = ["succeeded", "errored", "canceled", "expired"];
  const SECONDS = { s: 1, min: 60, h: 3600, d: 86400 };
  const copy = document.getElementById("copy-button");

  function complete(card) {
    // With it, a script can focus the card.
    card.tabIndex = -1;
    const cancel = card.querySelector("form[data-cancel] button");
    // With an ID, the focus survives a swap.
    if (cancel) cancel.id = card.id.replace("batch-", "cancel-");
    if (copy && !card.querySelector(".copy")) card.querySelector("header").append(copyButton(card));
    const place = card.querySelector(".card-progress:not(.unknown)");
    if (place && !place.querySelector(".bar")) drawBar(card, place);
    for (const pace of card.querySelectorAll("[data-usual]")) drawPace(card, pace);
  }

  // As `batches.outcome.segments`; the bar's rest stands for the requests that are processing.
  function drawBar(card, place) {
    const counts = COUNTED.map((name) => [name, Number(card.dataset[name])]);
    const total = counts.reduce((sum, [, count]) => sum + count, Number(card.dataset.processing));
    const bar = drawing("svg", { class: "bar", "aria-hidden": "true" });
    let before = 0;
    for (const [name, count] of counts.filter(([, count]) => count > 0)) {
      const x = percent(before, total);
      bar.append(drawing("rect", { x, width: percent(count, total), fill: `url(#pattern-${name})` }));
      before += count;
    }
    place.prepend(bar);
  }

  function drawing(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const each of Object.entries(attributes)) element.setAttribute(...each);
    return element;
  }

  const percent = (part, whole) => `${((100 * part) / whole).toFixed(2)}%`;

  function copyButton(card) {
    const button = copy.content.firstElementChild.cloneNode(true);
    button.id = card.id.replace("batch-", "copy-");
    button.dataset.copy = card.dataset.batch;
    button.setAttribute("aria-label", `Copy the ID of ${card.querySelector("h2").textContent}`);
    return button;
  }

  // Such as 17160 for "4 h 46 min", in the words of `dashboard.words.duration`.
  function secondsIn(words) {
    const parts = [...words.matchAll(/(\d+) (s|min|h|d)/g)];
    return parts.reduce((sum, [, count, unit]) => sum + count * SECONDS[unit], 0);
  }

  // From zero to beyond the p90 or the present: the band from p50 to p90, and a mark for now.
  function drawPace(card, pace) {
    const [p50, p90 = p50] = pace.textContent.split("–").map(secondsIn);
    const created = card.querySelector(".times time")?.dateTime;
    const elapsed = Math.max(0, (Date.now() - Date.parse(created)) / 1000);
    const longest = Math.max(p90 * 1.25, elapsed * 1.02, 1);
    let scale = pace.querySelector("svg");
    if (!scale) {
      scale = drawing("svg", { "aria-hidden": "true" });
      scale.append(...["band", "past", "now"].map((name) => drawing("rect", { class: name })));
      pace.prepend(scale);
    }
    const [band, past, now] = scale.children;
    band.setAttribute("x", percent(p50, longest));
    band.setAttribute("width", percent(Math.max(p90 - p50, longest / 100), longest));
    past.setAttribute("width", percent(elapsed, longest));
    now.setAttribute("x", percent(elapsed, longest));
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
