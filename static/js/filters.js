// Applies the list's filters as they change, and keeps the address tidy.
(() => {
  "use strict";

  const PAUSE = 300;
  const form = document.getElementById("filters");
  if (!form) return;
  let timer = 0;
  let applied = wanted();
  let shown = location.pathname + location.search;

  document.getElementById("apply").hidden = true;

  // The list's address for the form's values, without empty ones.
  function wanted() {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    const path = form.getAttribute("action");
    return given.length ? `${path}?${new URLSearchParams(given)}` : path;
  }

  // Swaps the list only, so that focus and caret stay in the form.
  function apply({ isTyping = false } = {}) {
    clearTimeout(timer);
    const address = wanted();
    if (address === applied) return;
    applied = address;
    const list = document.getElementById("list");
    htmx.trigger(list, "htmx:abort");
    list.setAttribute("aria-busy", "true");
    // Typing is one step of the history, not one for each pause.
    history[isTyping ? "replaceState" : "pushState"](null, "", address);
    shown = address;
    htmx.ajax("GET", address, {
      source: list,
      target: list,
      swap: "outerHTML",
      select: "#list",
      selectOOB: "#filter-problems,#clearing,#tabs,#summary",
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });

  form.addEventListener("change", (event) => event.target.matches("select") && apply());

  form.addEventListener("input", (event) => {
    if (event.target.matches("select")) return;
    clearTimeout(timer);
    timer = setTimeout(apply, PAUSE, { isTyping: true });
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig, xhr } = event.detail;
    // The answer to a poll of a list that is no longer on the page.
    if (requestConfig.elt.id === "live" && !requestConfig.elt.isConnected) {
      event.detail.shouldSwap = false;
    }
    if (requestConfig.elt.id !== "list") return;
    // A complete ID leads to the batch.
    if (new URL(xhr.responseURL).pathname !== form.getAttribute("action")) {
      event.detail.shouldSwap = false;
      location.assign(xhr.responseURL);
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.requestConfig?.elt.id !== "list") return;
    const tab = document.querySelector("#tabs [aria-current] .count") ?? document.querySelector("#tabs .count");
    batchboard.announce(`Batches found: ${tab?.textContent ?? "unknown"}`);
  });

  for (const name of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(name, (event) => {
      if (event.detail.requestConfig?.elt.id === "list") location.assign(applied);
    });
  }

  // Back and forward: fields and list as they were.
  window.addEventListener("popstate", () => {
    if (location.pathname + location.search !== shown) location.reload();
  });
})();
