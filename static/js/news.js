// The tab's title and icon say what ended since someone last looked at the page.
(() => {
  "use strict";

  const list = document.getElementById("cards");
  const icon = document.querySelector("link[rel=icon]");
  if (!list?.dataset.newsIcon || !icon) return;

  const name = document.title.replace(/^\([\d,]+\) /, "");
  const usual = icon.getAttribute("href");
  const ended = [];

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const card = event.target;
    const after = event.detail.fragment.querySelector?.(".card");
    if (document.hasFocus() || !event.detail.shouldSwap || !card.matches(".card") || !after) return;
    if (card.dataset.status === "ended" || after.dataset.status !== "ended") return;
    ended.push({
      name: after.querySelector("h2 a").textContent,
      mark: after.dataset.outcome === "all_succeeded" ? "✓" : "!",
    });
  });

  document.addEventListener("htmx:afterSettle", show);
  window.addEventListener("focus", () => {
    ended.length = 0;
    show();
  });

  function show() {
    const active = Number(document.getElementById("summary")?.dataset.active ?? 0);
    const count = active ? `(${active.toLocaleString("en")}) ` : "";
    document.title = news() + count + name;
    icon.setAttribute("href", ended.length ? list.dataset.newsIcon : usual);
  }

  function news() {
    if (!ended.length) return "";
    const mark = ended.every((each) => each.mark === "✓") ? "✓" : "!";
    return `${mark} ${ended.length === 1 ? ended[0].name : `${ended.length} batches`} ended · `;
  }
})();
