"use strict";
// Two versions of a picture over one another, with a slider between them.
(() => {
  const shots = JSON.parse(document.getElementById("viewer-data").textContent);
  if (!shots.length) return;
  const at = (name) => document.getElementById(`v-${name}`);
  const stage = at("stage"), slider = at("slider"), divider = at("divider");
  const frame = at("frame"), zoom = at("zoom"), flicker = at("flicker");
  const sides = ["left", "right"];
  const choice = { left: at("left"), right: at("right") };
  const picture = { left: at("left-picture"), right: at("right-picture") };
  const caption = { left: at("left-caption"), right: at("right-caption") };
  const captions = document.querySelector(".captions");
  const ZOOMS = [...zoom.options].map((option) => Number(option.value));
  const PAN = 40;  // pixels of the screen for an arrow key
  // Two changes a second: below the three flashes that WCAG 2.3.1 allows.
  const FLICKER_MS = 500;
  // What is seen: both sides with the slider between them, or one of them alone.
  const state = { x: 0, y: 0, only: null, timer: 0, held: false };

  const shot = () => shots[Number(frame.value)];
  const times = () => Number(zoom.value);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function show() {
    const { versions } = shot();
    for (const side of sides) {
      const version = versions[Number(choice[side].value)];
      if (picture[side].getAttribute("src") !== version.url) picture[side].src = version.url;
      picture[side].alt = `${side}: ${version.caption}`;
      caption[side].textContent = version.caption;
    }
    at("about").textContent = shot().about;
    place();
  }

  function place() {
    const { width, height } = shot();
    const wide = width * times(), tall = height * times();
    const room = stage.parentElement.clientWidth;
    const seenWidth = Math.min(wide, room), seenHeight = Math.min(tall, 0.6 * innerHeight);
    stage.style.width = `${seenWidth}px`;
    stage.style.height = `${seenHeight}px`;
    slider.style.width = `${seenWidth}px`;
    captions.style.width = `${clamp(seenWidth, Math.min(room, 560), room)}px`;
    state.x = clamp(state.x, seenWidth - wide, 0);
    state.y = clamp(state.y, seenHeight - tall, 0);
    stage.classList.toggle("zoomed", tall > seenHeight || wide > seenWidth);
    for (const side of sides) {
      picture[side].width = wide;
      picture[side].height = tall;
      picture[side].style.transform = `translate(${state.x}px,${state.y}px)`;
    }
    divide(seenWidth);
  }

  // The left picture lies above the right one and is cut at the divider.
  function divide(seenWidth) {
    const part = state.only ? (state.only === "left" ? 100 : 0) : Number(slider.value);
    const cut = (part / 100) * seenWidth;
    const hidden = Math.max(shot().width * times() + state.x - cut, 0);
    picture.left.style.clipPath = `inset(0 ${hidden}px 0 0)`;
    divider.style.left = `${(Number(slider.value) / 100) * seenWidth}px`;
    stage.classList.toggle("whole", Boolean(state.only));
    for (const side of sides) caption[side].classList.toggle("seen", state.only === side);
  }

  picture.left.style.zIndex = 1;
  divider.style.zIndex = 2;

  function fill() {
    for (const side of sides) {
      const before = Number(choice[side].value);
      const chosen = choice[side].options.length ? before : Number(side === "right");
      choice[side].replaceChildren();
      shot().versions.forEach((version, index) => choice[side].add(new Option(version.label, index)));
      choice[side].value = chosen < shot().versions.length ? chosen : 0;
    }
    show();
  }

  function setZoom(value, x, y) {
    const before = times();
    zoom.value = value;
    // What is under (x, y) stays there.
    state.x = x - ((x - state.x) * value) / before;
    state.y = y - ((y - state.y) * value) / before;
    place();
  }

  function step(direction, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const index = clamp(ZOOMS.indexOf(times()) + direction, 0, ZOOMS.length - 1);
    setZoom(ZOOMS[index], x, y);
  }

  function swap() {
    [choice.left.value, choice.right.value] = [choice.right.value, choice.left.value];
    show();
  }

  function setFlicker(on) {
    clearInterval(state.timer);
    flicker.setAttribute("aria-pressed", String(on));
    state.timer = on ? setInterval(() => only(state.only === "left" ? "right" : "left"), FLICKER_MS) : 0;
    only(on ? "left" : null);
  }

  function only(side) {
    state.only = side;
    place();
  }

  function hold(on) {
    if (state.timer || state.held === on) return;
    state.held = on;
    only(on ? (Number(slider.value) >= 50 ? "right" : "left") : null);
  }

  // Keys count while the viewer has the focus, or nothing at all while it is seen; never in a list.
  function mine(target) {
    if (target.matches("select, summary, .series, a, .scroll")) return false;
    return target === document.body ? visible() : Boolean(target.closest("#viewer"));
  }

  function visible() {
    const box = stage.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !mine(event.target)) return;
    if (!act(event)) return;
    event.preventDefault();
  });

  function act(event) {
    const { key } = event;
    if (/^[1-9]$/.test(key)) {
      if (Number(key) > shot().versions.length) return false;
      choice.right.value = Number(key) - 1;
      show();
    } else if (key === "+" || key === "=") step(1);
    else if (key === "-") step(-1);
    else if (key === "f" || key === "F") setFlicker(!state.timer);
    else if (key === "x" || key === "X") swap();
    else if (key === " " && [stage, slider].includes(event.target)) hold(true);
    else if (event.target === stage) return pan(key);
    else return false;
    return true;
  }

  function pan(key) {
    const move = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    if (!move || !stage.classList.contains("zoomed")) return false;
    state.x += move[0] * PAN;
    state.y += move[1] * PAN;
    place();
    return true;
  }

  document.addEventListener("keyup", (event) => { if (event.key === " ") hold(false); });
  addEventListener("blur", () => hold(false));

  // The divider follows a pointer that takes it; anywhere else a pointer pulls the picture.
  function dragging(element, start, move, end = () => {}) {
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.stopPropagation();
      element.setPointerCapture(event.pointerId);
      const memory = start(event);
      const follow = (moved) => move(moved, memory, event);
      const stop = () => {
        element.removeEventListener("pointermove", follow);
        end();
      };
      element.addEventListener("pointermove", follow);
      element.addEventListener("lostpointercapture", stop, { once: true });
    });
  }

  dragging(divider, () => stage.getBoundingClientRect(), (event, box) => {
    slider.value = clamp((100 * (event.clientX - box.x)) / box.width, 0, 100);
    place();
  });
  dragging(
    stage,
    () => { stage.classList.add("dragged"); return { x: state.x, y: state.y }; },
    (event, from, first) => {
      state.x = from.x + event.clientX - first.clientX;
      state.y = from.y + event.clientY - first.clientY;
      place();
    },
    () => stage.classList.remove("dragged"),
  );
  // With a key, as maps have it: else the page could not be scrolled past the viewer.
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    step(event.deltaY < 0 ? 1 : -1, event.clientX - box.x, event.clientY - box.y);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    const box = stage.getBoundingClientRect();
    step(event.shiftKey ? -1 : 1, event.clientX - box.x, event.clientY - box.y);
  });

  slider.addEventListener("input", place);
  zoom.addEventListener("change", place);
  frame.addEventListener("change", fill);
  for (const side of sides) choice[side].addEventListener("change", show);
  at("swap").addEventListener("click", swap);
  flicker.addEventListener("click", () => setFlicker(!state.timer));
  addEventListener("resize", place);
  fill();
})();
