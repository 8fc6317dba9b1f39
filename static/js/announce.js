// Speaks transitions of cards that are on the page, and nothing else.
(() => {
  "use strict";

  const spoken = [];
  let timer = 0;

  const state = (card) => card?.querySelector(".state")?.textContent.trim() ?? "";

  document.addEventListener("htmx:oobBeforeSwap", (event) => note(event.target, event.detail.fragment));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.shouldSwap || !event.target.matches(".card")) return;
    note(event.target, new DOMParser().parseFromString(event.detail.serverResponse, "text/html"));
  });

  function note(card, fragment) {
    if (!card.matches(".card")) return;
    const after = state(fragment.querySelector(".card"));
    if (!after || after === state(card)) return;
    spoken.push(`Batch ${card.querySelector("h2 a").textContent.trim()}: ${after}.`);
    clearTimeout(timer);
    // Several that change in one poll are one message.
    timer = setTimeout(speak, 100);
  }

  function speak() {
    const more = spoken.length > 5 ? ` And ${spoken.length - 5} more.` : "";
    document.getElementById("announcements").textContent = spoken.slice(0, 5).join(" ") + more;
    spoken.length = 0;
  }
})();
