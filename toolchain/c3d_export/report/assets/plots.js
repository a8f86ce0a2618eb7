"use strict";
// The plots: a legend that hides and shows codecs, and marks that say what they are.
(() => {
  document.documentElement.classList.add("scripted");
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);

  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      const series = `.plot .series[data-series="${button.dataset.series}"]`;
      for (const group of document.querySelectorAll(series)) group.classList.toggle("off", !shown);
    });
  }

  // Pixels of the screen within which a mark is meant.
  const NEAR = 28;

  function say(mark) {
    hush();
    mark.classList.add("here");
    const box = mark.getBoundingClientRect();
    tip.textContent = mark.dataset.label;
    tip.hidden = false;
    const half = tip.offsetWidth / 2;
    const middle = Math.min(Math.max(box.x + box.width / 2, half + 4), innerWidth - half - 4);
    const above = box.y - tip.offsetHeight - 8;
    tip.style.left = `${middle - half}px`;
    tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  }

  function hush() {
    tip.hidden = true;
    for (const mark of document.querySelectorAll(".mark.here")) mark.classList.remove("here");
  }

  function nearest(marks, event) {
    let found = null, least = NEAR;
    for (const mark of marks) {
      if (mark.closest(".off")) continue;
      const box = mark.getBoundingClientRect();
      const x = box.x + box.width / 2 - event.clientX, y = box.y + box.height / 2 - event.clientY;
      const distance = Math.hypot(x, y);
      if (distance < least) [found, least] = [mark, distance];
    }
    return found;
  }

  for (const plot of document.querySelectorAll(".plot")) {
    const marks = [...plot.querySelectorAll("[data-x]")];
    for (const mark of marks) {  // the browser's own tooltip would stand beside ours
      mark.dataset.label = mark.textContent;
      mark.replaceChildren();
    }
    for (const kind of ["pointermove", "pointerdown"]) {
      plot.addEventListener(kind, (event) => {
        const mark = nearest(marks, event);
        if (mark) say(mark); else hush();
      });
    }
    // A finger leaves when it is lifted, and what it asked for must stay.
    plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hush(); });
    for (const series of plot.querySelectorAll(".series")) walk(series);
  }

  function walk(series) {
    const marks = [...series.querySelectorAll("[data-x]")];
    marks.sort((a, b) => a.dataset.x - b.dataset.x);
    let place = 0;
    series.addEventListener("focus", () => { if (marks.length) say(marks[place]); });
    series.addEventListener("blur", hush);
    series.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (event.key === "Escape") hush();
      if (!step || !marks.length) return;
      event.preventDefault();
      place = Math.min(Math.max(place + step, 0), marks.length - 1);
      say(marks[place]);
    });
  }

  addEventListener("scroll", hush, { passive: true });
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".plot")) hush(); });
})();
