// Decides when htmx polls, and says when the page is not live and why.
(() => {
  "use strict";

  const PAUSED_SINCE = "batchboard.paused-since";
  const LONGEST_BACK_OFF = 60_000;
  // A hidden tab only has to notice that something ended.
  const HIDDEN_PAUSE = 60_000;
  // A workspace is fresh for as long as the server says, and until a poll can tell.
  const USUAL_PATIENCE = 120;
  const SENTENCES = {
    hidden: "Updates slow down while this tab is hidden; catching up.",
    dialog: "Updates wait while a dialog or a form is open.",
    filters: "Updates wait while you choose filters.",
    selection: "Updates to the selected text wait until you clear the selection.",
  };
  let failures = 0;
  let notBefore = 0;
  let polledAt = Date.now();
  // The address of the oldest poll of which a part is still held back.
  let behind = "";
  let shown = "";

  const pause = document.getElementById("pause");
  const line = document.getElementById("live-state");
  const live = () => document.getElementById("live");
  const pausedSince = () => Number(sessionStorage.getItem(PAUSED_SINCE)) || 0;
  const poll = () => live() && htmx.trigger(live(), "poll");

  // Why no poll may be made or shown right now; empty if it may.
  function obstacle() {
    const active = document.activeElement;
    if (pausedSince()) return "paused";
    if (document.querySelector("dialog[open], form[data-editing]")) return "dialog";
    return active?.matches("#filters input, #filters select") ? "filters" : "";
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== live()) return;
    const why = obstacle();
    const isTooSoon = Date.now() < (document.hidden ? polledAt + HIDDEN_PAUSE : notBefore);
    if (why || isTooSoon) event.preventDefault();
    else polledAt = Date.now();
    say(why || (document.hidden ? "hidden" : shown));
  });

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target !== live()) return;
    if (behind) event.detail.path = behind;
    for (const link of document.querySelectorAll("#cards .card h2 a")) {
      event.detail.parameters.append("shown", link.id.replace("link-", ""));
    }
  });

  // A response to an earlier poll must not be swapped in once a dialog or a form is open.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.requestConfig?.elt?.id !== "live") return;
    if (obstacle()) event.detail.shouldSwap = false;
    else behind = "";
    if (event.detail.shouldSwap && isSelecting()) behind = event.detail.requestConfig.path;
  });

  // A part in which text is selected waits. The next poll asks for it again.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (!holdsSelection(event.target)) return;
    event.detail.shouldSwap = false;
    say("selection");
  });

  const isSelecting = () => document.getSelection()?.isCollapsed === false;
  const holdsSelection = (part) => isSelecting() && document.getSelection().containsNode(part, true);

  document.addEventListener("selectionchange", () => {
    if (behind && !isSelecting()) poll();
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    // Its own element may be gone by now.
    if (event.detail.requestConfig?.elt?.id !== "live") return;
    if (event.detail.successful) return recover();
    failures += 1;
    notBefore = Date.now() + Math.min(1000 * 2 ** failures, LONGEST_BACK_OFF);
    const status = event.detail.xhr?.status;
    complain(
      status
        ? `Live updates stopped (server answered ${status}). Showing older data; retrying.`
        : "Live updates stopped (server can’t be reached). Showing older data; retrying.",
    );
  });

  function recover() {
    if (shown !== "selection" || !behind) say(obstacle());
    if (failures === 0) return;
    failures = 0;
    notBefore = 0;
    complain("");
  }

  function complain(sentence) {
    const problem = document.getElementById("poll-problem");
    if (problem) {
      problem.hidden = !sentence;
      if (problem.textContent !== sentence) problem.textContent = sentence;
    }
    grayStale();
  }

  function say(why) {
    if (!line || (why === shown && why !== "paused")) return;
    shown = why;
    line.hidden = !why;
    line.dataset.why = why;
    if (why === "paused") line.replaceChildren(...pausedWords());
    else line.textContent = SENTENCES[why] ?? "";
  }

  function pausedWords() {
    const since = new Date(pausedSince());
    const time = Object.assign(document.createElement("time"), { dateTime: since.toISOString() });
    time.dataset.relative = "ago";
    const seconds = Math.round((Date.now() - since) / 1000);
    time.textContent = seconds < 60 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
    const resume = Object.assign(document.createElement("button"), { textContent: "Resume", type: "button" });
    resume.addEventListener("click", () => pause?.click());
    const words = document.createElement("span");
    words.append("Updates paused ", time, ".");
    return [words, resume];
  }

  // A page that gets no news must not look fresh.
  function ageOnClient() {
    const grace = Number(live()?.dataset.seconds ?? 30) + 5;
    for (const holder of document.querySelectorAll("[data-as-of]")) {
      const time = holder.querySelector("time");
      if (!time || !["fresh", "stale"].includes(holder.dataset.health)) continue;
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      const isOld = seconds > Number(holder.dataset.patience ?? USUAL_PATIENCE) + grace;
      if (isOld && holder.dataset.health === "fresh") {
        Object.assign(holder.dataset, { health: "stale", aged: "" });
      } else if (!isOld && "aged" in holder.dataset) {
        delete holder.dataset.aged;
        holder.dataset.health = "fresh";
      }
    }
    grayStale();
    sumUpAges();
  }

  // The line that stands for many workspaces.
  function sumUpAges() {
    const words = document.getElementById("ages");
    const times = [...document.querySelectorAll("#freshness time")].map((time) => Date.parse(time.dateTime));
    if (!words || !times.length) return;
    const [low, high] = [Math.max(...times), Math.min(...times)].map((at) => Math.max(0, Math.round((Date.now() - at) / 1000)));
    const text = high < 60 ? `${low}–${high} s ago` : `up to ${Math.floor(high / 60)} min ago`;
    if (words.textContent !== text) words.textContent = text;
  }

  // Its name, which no other workspace has: of a line that tells its age, or of a card.
  function workspaceOf(part) {
    return part.querySelector("[data-field=workspace], header p bdi, :scope > bdi")?.textContent.trim();
  }

  // Cards of a workspace that is out of date stay on the page, in gray.
  function grayStale() {
    const stale = new Set(
      [...document.querySelectorAll("[data-health=stale], [data-health=refused], [data-health=foreign]")].map(
        workspaceOf,
      ),
    );
    for (const card of document.querySelectorAll(".card")) {
      card.toggleAttribute("data-stale", failures > 0 || stale.has(workspaceOf(card)));
    }
  }

  function showPaused() {
    if (!pause) return;
    const [word, icon] = pausedSince() ? ["Resume", "#play"] : ["Pause", "#pause"];
    const drawing = pause.querySelector("use");
    drawing.setAttribute("href", drawing.getAttribute("href").replace(/#.*/, icon));
    pause.removeAttribute("aria-pressed");
    pause.setAttribute("aria-label", `${word} live updates`);
    pause.querySelector("span").textContent = word;
    say(obstacle());
  }

  pause?.addEventListener("click", () => {
    if (pausedSince()) sessionStorage.removeItem(PAUSED_SINCE);
    else sessionStorage.setItem(PAUSED_SINCE, String(Date.now()));
    showPaused();
    poll();
  });

  document.addEventListener("htmx:afterSettle", grayStale);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
  document.addEventListener("batchboard:idle", poll);
  // Focus has moved on only after this event.
  document.addEventListener("focusout", (event) => event.target.closest?.("#filters") && setTimeout(poll));
  setInterval(ageOnClient, 1000);

  if (pause) pause.hidden = !live();
  if (live()) showPaused();
  grayStale();
})();
