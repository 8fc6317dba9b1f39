// Decides when htmx polls, and says so when polls fail.
(() => {
  "use strict";

  const PAUSED = "batchboard.paused";
  const LONGEST_BACK_OFF = 60_000;
  let failures = 0;
  let notBefore = 0;

  const pause = document.getElementById("pause");
  const live = () => document.getElementById("live");
  const isPaused = () => localStorage.getItem(PAUSED) === "yes";
  const poll = () => live() && htmx.trigger(live(), "poll");

  // The person is doing something that a swap would disturb.
  function isBusy() {
    const active = document.activeElement;
    return (
      document.querySelector("dialog[open], form[data-editing]") !== null ||
      Boolean(active?.matches("#filters input, #filters select"))
    );
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== live()) return;
    if (document.hidden || isPaused() || isBusy() || Date.now() < notBefore) event.preventDefault();
  });

  // A response to an earlier poll must not be swapped in once a dialog or a form is open.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.requestConfig?.elt?.id === "live" && (isPaused() || isBusy())) {
      event.detail.shouldSwap = false;
    }
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.id !== "live") return;
    if (event.detail.successful) return recover();
    failures += 1;
    notBefore = Date.now() + Math.min(1000 * 2 ** failures, LONGEST_BACK_OFF);
    const status = event.detail.xhr?.status;
    say(
      status
        ? `Live updates stopped (server answered ${status}). Showing older data; retrying.`
        : "Live updates stopped (server can’t be reached). Showing older data; retrying.",
    );
  });

  function recover() {
    if (failures === 0) return;
    failures = 0;
    notBefore = 0;
    say("");
  }

  function say(sentence) {
    const problem = document.getElementById("poll-problem");
    if (problem) {
      problem.hidden = !sentence;
      if (problem.textContent !== sentence) problem.textContent = sentence;
    }
    grayStale();
  }

  // Cards of a workspace that is out of date stay on the page, in gray.
  function grayStale() {
    const stale = new Set(
      [...document.querySelectorAll("[data-health=stale], [data-health=refused], [data-health=foreign]")].map(
        (holder) => holder.dataset.workspace,
      ),
    );
    for (const card of document.querySelectorAll(".card")) {
      card.toggleAttribute("data-stale", failures > 0 || stale.has(card.dataset.inWorkspace));
    }
  }

  function showPaused() {
    if (!pause) return;
    pause.setAttribute("aria-pressed", String(isPaused()));
    pause.querySelector("span").textContent = isPaused() ? "Paused" : "Pause";
  }

  pause?.addEventListener("click", () => {
    localStorage.setItem(PAUSED, isPaused() ? "no" : "yes");
    showPaused();
    poll();
  });

  document.addEventListener("htmx:afterSettle", grayStale);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  document.addEventListener("batchboard:idle", poll);

  if (pause) pause.hidden = !live();
  showPaused();
  grayStale();
})();
