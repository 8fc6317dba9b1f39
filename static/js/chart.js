// The spend page: its chart's days as one keyboard group with a card for each, its selects, and
// printing.
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const chart = document.getElementById("chart");
  if (chart) showDays();

  function showDays() {
    const { series, days } = JSON.parse(document.getElementById("chart-days").textContent);
    const links = [...chart.querySelectorAll(".chart-day")];
    const card = document.getElementById("chart-card");
    const frame = card.parentElement;
    let shown = -1;
    let isTouch = false;

    function show(at) {
      if (at === shown) return;
      links[shown]?.removeAttribute("data-shown");
      shown = at;
      links[at].setAttribute("data-shown", "");
      card.replaceChildren(...content(days[at], links[at].getAttribute("href")));
      card.hidden = false;
      place(links[at].querySelector(".chart-room").getBoundingClientRect());
    }

    function hide() {
      links[shown]?.removeAttribute("data-shown");
      shown = -1;
      card.hidden = true;
    }

    // Above the day, so that the pointer can move from the bar onto the card, and inside the chart.
    function place(room) {
      const outer = frame.getBoundingClientRect();
      const left = room.left + room.width / 2 - outer.left - card.offsetWidth / 2;
      card.style.left = `${Math.max(0, Math.min(left, outer.width - card.offsetWidth))}px`;
    }

    function content(day, href) {
      const total = element("strong", day.total);
      const parts = element("ul");
      for (const [mark, amount] of day.parts) {
        const part = element("li");
        part.append(swatch(mark), element("bdi", series[mark]), element("span", amount));
        parts.append(part);
      }
      const lines = [element("p", day.name), total, parts];
      if (day.missing) lines.push(element("p", `Not included: ${day.missing}`));
      if (isTouch) {
        const open = element("a", "Open this day");
        open.href = href;
        open.tabIndex = -1;
        lines.push(open);
      }
      return lines;
    }

    function element(name, text = "") {
      const made = document.createElement(name);
      made.textContent = text;
      return made;
    }

    function swatch(mark) {
      const rect = document.createElementNS(SVG, "rect");
      const box = document.createElementNS(SVG, "svg");
      const size = { width: "10", height: "10" };
      for (const [name, value] of Object.entries({ ...size, class: "series", fill: `url(#series-${mark})` })) {
        rect.setAttribute(name, value);
      }
      for (const [name, value] of Object.entries(size)) box.setAttribute(name, value);
      rect.dataset.series = mark;
      box.append(rect);
      return box;
    }

    // By its place, as a bar may be narrower than a finger.
    function dayUnder(event) {
      const plot = chart.getBoundingClientRect();
      const at = Math.floor(((event.clientX - plot.left) / plot.width) * links.length);
      return Math.max(0, Math.min(at, links.length - 1));
    }

    chart.addEventListener("pointerdown", (event) => {
      isTouch = event.pointerType === "touch";
      if (!isTouch) return;
      shown = -1;
      show(dayUnder(event));
    });
    chart.addEventListener("pointermove", (event) => {
      isTouch = event.pointerType === "touch";
      show(dayUnder(event));
    });
    frame.addEventListener("pointerleave", (event) => event.pointerType === "touch" || hide());
    document.addEventListener("pointerdown", (event) => frame.contains(event.target) || hide());
    // A tap shows the card, whose link opens the day. Enter has no pointer, and opens it at once.
    chart.addEventListener("mousedown", (event) => isTouch && event.preventDefault());
    chart.addEventListener("click", (event) => {
      if (isTouch && event.detail > 0) event.preventDefault();
    });

    chart.addEventListener("focusin", (event) => {
      const at = links.indexOf(event.target);
      if (at < 0 || isTouch) return;
      moveStop(at);
      if (links[at].matches(":focus-visible")) show(at);
    });
    chart.addEventListener("focusout", () => isTouch || hide());

    function moveStop(at) {
      for (const [index, link] of links.entries()) link.setAttribute("tabindex", index === at ? "0" : "-1");
    }

    chart.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const at = links.indexOf(event.target);
      const last = links.length - 1;
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      isTouch = false;
      links[Math.max(0, Math.min(to, last))].focus();
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  }

  // Selects apply at once. Back shows what the page shows, not what was chosen on leaving it.
  for (const select of document.querySelectorAll("#month, #workspace, #canceled")) {
    select.addEventListener("change", () => select.form.requestSubmit());
    addEventListener("pageshow", (event) => event.persisted && select.form.reset());
  }

  // "Print or PDF" leads to the month's page, and prints it.
  function printIfAsked() {
    if (location.hash !== "#print") return;
    history.replaceState(null, "", location.pathname + location.search);
    print();
  }

  addEventListener("load", printIfAsked);
  addEventListener("hashchange", printIfAsked);
})();
