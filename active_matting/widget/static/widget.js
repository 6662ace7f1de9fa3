// The face of a session: shows what `active_matting.widget.controller` tells, and tells it what the person does.
// One ES module without imports, so that every notebook can load it. Places are in pixels of the session's image.

const LABELS = {
  foreground: { name: "Foreground", key: "f", colour: [46, 184, 92] },
  background: { name: "Background", key: "b", colour: [232, 72, 64] },
  mixed: { name: "Mixed", key: "m", colour: [236, 170, 38] },
  unlabelled: { name: "Erase", key: "", colour: [128, 128, 128] },
};
const OPPOSITE = { foreground: "background", background: "foreground", mixed: "unlabelled", unlabelled: "mixed" };
const LABEL_OF_BYTE = { 1: "foreground", 255: "background", 2: "mixed" };
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // inferno
const KEYS = [
  ["F B M", "foreground, background, mixed: all of the square"], ["S", "skip: ask elsewhere"],
  ["U", "undo"], ["R or Shift+U", "redo"], ["H", "heat map: where an answer may help"],
  ["A", "answer with the mouse: click in the square, right or Shift for background"],
  ["D", "draw: click or drag; right or Shift for the opposite label"], ["[ ]", "smaller, larger brush"],
  ["T", "matte, trimap, cut-out in turn"], ["+ − 0", "zoom in, out, fit; also Ctrl+wheel"],
  ["Space+drag, arrows", "move the picture"], ["Esc", "give the keys back to the page"],
];

export default { render };

function render({ model, el }) {
  const ui = build(el, Boolean(model.get("can_finish")));
  const pictures = { image: null, labels: null, matte: null, heatmap: null };
  const view = { zoom: 1, y: 0, x: 0, result: "matte", tool: "answer", label: "foreground", radius: 6, heat: false };
  const backdrop = { kind: "checker", colour: "#3b82f6", photo: null };
  let state = null; // what was told last
  let shape = [1, 1];
  let stroke = null; // { points, label, isDone }
  let pan = null; // { y, x, pointer } where it began
  let pointer = null; // on the image, for the brush
  let hover = null;
  let isSpaceDown = false;
  let waiting = 0; // a timer
  let askedAt = 0; // when the region appeared, for its pulse
  let frame = 0;
  let isResultOld = true;
  const newest = {}; // kind → how many such pictures have come, since they are decoded out of turn

  // ---------------------------------------------------------------- to and from Python

  function send(message) {
    showError("");
    model.send(message);
    clearTimeout(waiting);
    waiting = setTimeout(() => showNotice("No reply from Python yet: is it busy with something else, or stopped?"), 8000);
  }

  const told = {
    image: (_, buffers) => decode("image", buffers[0], (bitmap) => {
      pictures.image = pixelsOf(bitmap);
      const first = shape[0] !== bitmap.height || shape[1] !== bitmap.width;
      shape = [bitmap.height, bitmap.width];
      if (first) {
        view.radius = Math.max(2, Math.round(Math.max(...shape) / 70));
        ui.radius.value = view.radius;
        fit();
      }
      layOut();
    }),
    labels: (_, buffers) => decode("labels", buffers[0], (bitmap) => {
      const { data } = pixelsOf(bitmap);
      pictures.labels = canvasOf(bitmap, (out) => tint(data, out));
      pictures.trimap = canvasOf(bitmap, (out) => trimap(data, out));
      if (stroke?.isDone) stroke = null;
    }),
    matte: (_, buffers) => decode("matte", buffers[0], (bitmap) => {
      pictures.matte = bitmap;
      pictures.alpha = pixelsOf(bitmap).data;
      pictures.cutout = null; // made when it is looked at
      ui.root.dataset.mattes = Number(ui.root.dataset.mattes ?? 0) + 1;
    }),
    heatmap: (_, buffers) => decode("heatmap", buffers[0], (bitmap) => {
      const { data } = pixelsOf(bitmap);
      pictures.heatmap = canvasOf(bitmap, (out) => heat(data, out));
    }),
    state: (event) => {
      const isNew = event.asked && event.asked.number !== state?.asked?.number;
      state = event;
      if (isNew) askedAt = performance.now();
      showState();
    },
    busy: ({ text }) => {
      ui.root.dataset.busy = text;
      ui.busy.textContent = text && text.startsWith("preparing") ? `${text}…` : "";
      ui.spinner.classList.toggle("am-on", Boolean(text));
      showQuestion();
    },
    error: ({ text }) => { showError(text); unfreeze(); },
    exported: ({ files }) => showFiles(files),
    file: ({ name }, buffers) => download(name, buffers[0]),
    finished: ({ text }) => end(`${text} You may close this page.`),
    lost: ({ text }) => showError(text),
  };

  function onMessage(event, buffers = []) {
    clearTimeout(waiting);
    showNotice("");
    if (told[event.event]) told[event.event](event, buffers);
    draw();
  }

  function decode(kind, buffer, use) {
    const number = (newest[kind] = (newest[kind] ?? 0) + 1);
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    createImageBitmap(new Blob([buffer], { type: "image/png" }), options).then(
      (bitmap) => { if (number === newest[kind]) { use(bitmap); draw(); } },
      (error) => showError(`A picture from Python could not be shown: ${error.message ?? error}`),
    );
  }

  // ---------------------------------------------------------------- what a person can do

  const act = {
    answer(label) {
      if (!state?.asked) return;
      send({ do: "answer", label, number: state.asked.number });
      freeze();
    },
    skip() {
      if (!state?.asked) return;
      send({ do: "skip", number: state.asked.number });
      freeze();
    },
    undo() { if (state?.can_undo) send({ do: "undo" }); },
    redo() { if (state?.can_redo) send({ do: "redo" }); },
    heat() {
      if (!state?.has_heatmap) return;
      view.heat = !view.heat;
      send({ do: "heatmap", on: view.heat });
      press(ui.heat, view.heat);
    },
    tool(tool) {
      view.tool = tool;
      for (const [name, button] of Object.entries(ui.tools)) press(button, name === tool);
      ui.root.dataset.tool = tool;
      showQuestion();
    },
    label(label) {
      view.label = label;
      for (const [name, button] of Object.entries(ui.labels)) press(button, name === label);
    },
    radius(radius) {
      view.radius = Math.min(80, Math.max(1, radius));
      ui.radius.value = view.radius;
    },
    result(result) {
      view.result = result;
      for (const [name, button] of Object.entries(ui.results)) press(button, name === result);
      ui.backdrops.hidden = result !== "cutout";
    },
    zoom(factor, at = null) {
      const before = view.zoom;
      view.zoom = Math.min(40, Math.max(1, view.zoom * factor));
      const [y, x] = at ?? (state?.asked ? centreOf(state.asked) : [view.y, view.x]);
      const kept = before / view.zoom; // the point under the pointer stays there; else the asked region comes nearer
      view.y = at ? y + (view.y - y) * kept : view.y + (y - view.y) * (1 - kept);
      view.x = at ? x + (view.x - x) * kept : view.x + (x - view.x) * (1 - kept);
      keepInside();
    },
    fit,
    move(y, x) { view.y += y; view.x += x; keepInside(); },
    export() { if (!state?.is_exporting) send({ do: "export" }); },
    done() { send({ do: "done" }); },
  };

  function fit() { Object.assign(view, { zoom: 1, y: shape[0] / 2, x: shape[1] / 2 }); showZoom(); }

  function keepInside() {
    const { scale } = transform(ui.image);
    for (const [axis, size, length] of [["y", shape[0], ui.image.clientHeight], ["x", shape[1], ui.image.clientWidth]]) {
      const half = Math.min(length / scale, size) / 2;
      view[axis] = Math.min(size - half, Math.max(half, view[axis]));
    }
    showZoom();
  }

  function freeze() { // until the next state comes nothing can be answered twice
    state.asked = null;
    showState();
  }
  function unfreeze() { model.send({ do: "hello" }); }

  // ---------------------------------------------------------------- keys and pointers

  const keys = {
    f: () => act.answer("foreground"), b: () => act.answer("background"), m: () => act.answer("mixed"), s: act.skip,
    u: act.undo, U: act.redo, r: act.redo, h: act.heat, a: () => act.tool("answer"), d: () => act.tool("draw"),
    t: () => act.result({ matte: "trimap", trimap: "cutout", cutout: "matte" }[view.result]),
    "+": () => act.zoom(1.5), "=": () => act.zoom(1.5), "-": () => act.zoom(1 / 1.5), 0: fit,
    "[": () => act.radius(view.radius - Math.ceil(view.radius / 6)),
    "]": () => act.radius(view.radius + Math.ceil(view.radius / 6)),
    ArrowUp: () => act.move(-shape[0] / 10 / view.zoom, 0), ArrowDown: () => act.move(shape[0] / 10 / view.zoom, 0),
    ArrowLeft: () => act.move(0, -shape[1] / 10 / view.zoom), ArrowRight: () => act.move(0, shape[1] / 10 / view.zoom),
  };
  const ONCE = "fbmsuUrhadt"; // holding these down does nothing further

  function onKeyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the page's and the browser's
    event.stopPropagation(); // the notebook must not take "b" for a new cell
    if (event.key === "Escape") return ui.root.ownerDocument.activeElement?.blur();
    const tag = event.target.tagName;
    if (tag === "INPUT" && (event.key.startsWith("Arrow") || event.key === " ")) return;
    if (event.key === " " && tag !== "BUTTON" && tag !== "SUMMARY") {
      isSpaceDown = true;
      ui.root.classList.add("am-moving");
      return event.preventDefault();
    }
    const key = event.key.length === 1 && !(event.key === "U" && event.shiftKey) ? event.key.toLowerCase() : event.key;
    if (!keys[key]) return;
    event.preventDefault();
    if (event.repeat && ONCE.includes(key)) return;
    keys[key]();
    draw();
  }

  function onKeyUp(event) {
    if (event.key === " ") stopMoving();
    event.stopPropagation();
  }
  function stopMoving() { isSpaceDown = false; ui.root.classList.remove("am-moving"); }

  function onPointerDown(event) {
    ui.root.focus({ preventScroll: true });
    if (!pictures.image) return;
    const canvas = event.currentTarget;
    const place = placeOf(canvas, event);
    const isSecond = event.button === 2 || event.shiftKey;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    if (isSpaceDown || event.button === 1 || canvas !== ui.image) pan = { place, canvas };
    else if (view.tool === "draw") {
      stroke = { points: [place], label: isSecond ? OPPOSITE[view.label] : view.label, isDone: false };
    } else if (isAsked(place)) act.answer(isSecond ? "background" : "foreground");
    else pan = { place, canvas };
    draw();
  }

  function onPointerMove(event) {
    const canvas = event.currentTarget;
    pointer = canvas === ui.image ? placeOf(canvas, event) : null;
    hover = canvas === ui.image ? [event.offsetY, event.offsetX] : null; // on the screen, for the loupe to step aside
    if (pan) {
      const [y, x] = placeOf(pan.canvas, event);
      act.move(pan.place[0] - y, pan.place[1] - x);
      draw();
    } else if (stroke && !stroke.isDone) {
      for (const each of event.getCoalescedEvents?.() ?? [event]) {
        const [y, x] = placeOf(canvas, each);
        const [lastY, lastX] = stroke.points.at(-1);
        if (Math.hypot(y - lastY, x - lastX) >= 1) stroke.points.push([y, x]);
      }
    }
    draw(false);
  }

  function onPointerUp(event) {
    if (stroke && !stroke.isDone && event.type === "pointerup") {
      const { points, label } = stroke;
      const whole = points.map((point) => point.map(Math.floor));
      const what = { label, radius: view.radius };
      if (whole.length === 1) send({ do: "click", y: whole[0][0], x: whole[0][1], ...what });
      else send({ do: "stroke", points: whole, ...what });
      stroke.isDone = true; // shown until the labels come
    } else if (stroke && !stroke.isDone) stroke = null;
    pan = null;
    draw();
  }

  function onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page's own scrolling
    event.preventDefault();
    act.zoom(Math.exp(-event.deltaY / 200), placeOf(event.currentTarget, event));
    draw();
  }

  function placeOf(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const { scale, top, left } = transform(canvas);
    return [(event.clientY - box.top - top) / scale, (event.clientX - box.left - left) / scale];
  }

  function isAsked([y, x]) {
    if (!state?.asked) return false;
    const { top, left, side } = state.asked;
    const slack = Math.max(0, 9 / transform(ui.image).scale - side / 2); // a small square is still easily hit
    return y >= top - slack && y < top + side + slack && x >= left - slack && x < left + side + slack;
  }

  // ---------------------------------------------------------------- words

  function showState() {
    const { asked, counts, spent, budget } = state;
    ui.root.dataset.asked = asked ? [asked.number, asked.top, asked.left, asked.side].join(",") : "";
    ui.root.dataset.version = state.version;
    ui.root.dataset.spent = spent;
    for (const button of [...Object.values(ui.answers), ui.skip]) button.disabled = !asked;
    ui.undo.disabled = !state.can_undo;
    ui.redo.disabled = !state.can_redo;
    ui.heat.hidden = !state.has_heatmap;
    ui.export.disabled = state.is_exporting;
    ui.export.textContent = state.is_exporting ? "Exporting…" : "Export";
    ui.bar.style.width = `${Math.min(100, (100 * spent) / budget)}%`;
    ui.progress.setAttribute("aria-valuenow", spent);
    ui.progress.setAttribute("aria-valuemax", budget);
    const words = [`${spent} of ${budget} answers`];
    const some = Object.entries({ foreground: "foreground", background: "background", transition: "mixed",
      clicks: "by click", strokes: "by stroke", skipped: "skipped" }).filter(([name]) => counts[name]);
    if (some.length) words[0] += `: ${some.map(([name, word]) => `${counts[name]} ${word}`).join(", ")}`;
    if (state.seconds_per_answer !== null) words.push(`${state.seconds_per_answer.toFixed(1)} s per answer`);
    if (spent && state.seconds.suggestion) words.push(`matte in ${seconds(state.seconds.matte)}`);
    ui.words.textContent = words.join(" · ");
    const isEnough = state.enough && state.knows_both && spent > 2;
    ui.enough.hidden = !isEnough && spent < budget;
    ui.enough.textContent = isEnough
      ? "Another answer would hardly change the matte: export it when it looks right."
      : "All planned answers are given; more may be, or export the matte.";
    showQuestion();
  }

  function showQuestion() {
    const isBusy = Boolean(ui.root.dataset.busy);
    let text = "What is inside the square?";
    if (view.tool === "draw") text = "Draw over what you know.";
    else if (!state) text = "Waiting for Python…";
    else if (!state.has_agent) text = "No agent asks here: draw over what you know.";
    else if (!state.asked) text = isBusy ? "Looking where to ask next…" : "Nothing to ask: draw, or undo.";
    if (ui.question.textContent !== text) ui.question.textContent = text;
  }

  function showError(text) {
    ui.error.hidden = !text;
    ui.errorText.textContent = text;
  }
  function showNotice(text) { ui.notice.textContent = text; ui.notice.hidden = !text; }
  function showZoom() { ui.zoom.textContent = `${Math.round(100 * view.zoom)} %`; }

  function showFiles(files) {
    const folder = files.length ? files[0].path.slice(0, -files[0].name.length) : "";
    const links = files.map(({ name }) =>
      h("button", { class: "am-link", title: `Download ${name}`, onclick: () => send({ do: "fetch", name }) }, `${name} ↓`));
    ui.files.replaceChildren(h("span", {}, `Written to ${folder}`), ...links);
    ui.files.hidden = false;
    ui.root.dataset.exported = Number(ui.root.dataset.exported ?? 0) + 1;
  }

  function download(name, buffer) {
    const url = URL.createObjectURL(new Blob([buffer]));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  function end(text) {
    state = state && { ...state, asked: null };
    ui.root.classList.add("am-ended");
    ui.root.inert = true;
    ui.question.textContent = text;
  }

  // ---------------------------------------------------------------- drawing

  function layOut() {
    const ratio = Math.min(1.35, Math.max(0.45, shape[0] / shape[1]));
    for (const canvas of [ui.image, ui.result]) canvas.style.aspectRatio = `1 / ${ratio}`;
    draw();
  }

  function transform(canvas) {
    const [height, width] = [canvas.clientHeight, canvas.clientWidth];
    const scale = Math.min(height / shape[0], width / shape[1]) * view.zoom;
    return { scale, top: height / 2 - view.y * scale, left: width / 2 - view.x * scale };
  }

  function draw(isResultToo = true) {
    isResultOld ||= isResultToo;
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      drawImage();
      if (isResultOld) drawResult();
      isResultOld = false;
    });
  }

  /** The canvas, cleared and in its screen's own resolution, with what turns the image's places into its. */
  function begin(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const [height, width] = [Math.round(canvas.clientHeight * ratio), Math.round(canvas.clientWidth * ratio)];
    if (canvas.height !== height || canvas.width !== width) Object.assign(canvas, { height, width });
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.scale(ratio, ratio);
    const { scale, top, left } = transform(canvas);
    context.imageSmoothingEnabled = scale < 3;
    context.imageSmoothingQuality = "high";
    const put = (picture) => picture && context.drawImage(picture, left, top, shape[1] * scale, shape[0] * scale);
    return { context, scale, top, left, put };
  }

  function drawImage() {
    const { context, scale, top, left, put } = begin(ui.image);
    if (!pictures.image) return;
    put(pictures.image.canvas);
    if (view.heat) put(pictures.heatmap);
    put(pictures.labels);
    for (const each of state?.answers ?? []) {
      const label = { transition: "mixed", skipped: "unlabelled" }[each.label] ?? each.label;
      context.strokeStyle = rgb(LABELS[label].colour, 0.9);
      context.lineWidth = 1.5;
      context.setLineDash(label === "foreground" || label === "background" ? [] : [3, 3]);
      context.strokeRect(left + each.left * scale, top + each.top * scale, each.side * scale, each.side * scale);
    }
    context.setLineDash([]);
    if (stroke) drawStroke(context, scale, top, left);
    if (state?.asked) drawAsked(context, scale, top, left);
    if (pointer && view.tool === "draw" && !isSpaceDown) {
      for (const [width, colour] of [[3, "#000"], [1.5, rgb(LABELS[view.label].colour)]]) {
        context.lineWidth = width;
        context.strokeStyle = colour;
        circle(context, left + pointer[1] * scale, top + pointer[0] * scale, (view.radius + 0.5) * scale);
        context.stroke();
      }
    }
  }

  function drawStroke(context, scale, top, left) {
    context.strokeStyle = context.fillStyle = rgb(LABELS[stroke.label].colour, 0.6);
    context.lineWidth = (2 * view.radius + 1) * scale;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    for (const [y, x] of stroke.points) context.lineTo(left + x * scale, top + y * scale);
    if (stroke.points.length > 1) return context.stroke();
    const [y, x] = stroke.points[0];
    circle(context, left + x * scale, top + y * scale, context.lineWidth / 2);
    return context.fill();
  }

  function drawAsked(context, scale, top, left) {
    const side = state.asked.side * scale;
    const [y, x] = [top + state.asked.top * scale, left + state.asked.left * scale];
    const isStill = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const age = isStill ? 1 : Math.min(1, (performance.now() - askedAt) / 450);
    const grown = 2 + 26 * (1 - age) ** 2; // it closes in on the square, so that the eye finds it
    for (const [width, colour] of [[5, "rgba(0,0,0,0.75)"], [2.5, "#fff"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.strokeRect(x - grown, y - grown, side + 2 * grown, side + 2 * grown);
    }
    if (age < 1) draw(false);
    if (side < 90 && view.tool === "answer") drawLoupe(context, y + side / 2, x + side / 2);
  }

  /** The asked region and what surrounds it, enlarged, in the corner that is farthest from it. */
  function drawLoupe(context, y, x) {
    const [height, width] = [ui.image.clientHeight, ui.image.clientWidth];
    const size = Math.min(150, 0.34 * Math.min(height, width));
    const [atY, atX] = [y < height / 2 ? height - size - 8 : 8, x < width / 2 ? width - size - 8 : 8];
    if (hover && hover[0] > atY && hover[0] < atY + size && hover[1] > atX && hover[1] < atX + size) return;
    const side = state.asked.side;
    const [row, column] = [state.asked.top - side, state.asked.left - side];
    context.fillStyle = "#444";
    context.fillRect(atX, atY, size, size);
    context.save();
    context.beginPath();
    context.rect(atX, atY, size, size);
    context.clip();
    context.imageSmoothingEnabled = size / (3 * side) < 3;
    const scale = size / (3 * side);
    context.drawImage(pictures.image.canvas, atX - column * scale, atY - row * scale, shape[1] * scale, shape[0] * scale);
    context.restore();
    for (const [line, colour] of [[4, "rgba(0,0,0,0.75)"], [2, "#fff"]]) {
      context.lineWidth = line;
      context.strokeStyle = colour;
      context.strokeRect(atX, atY, size, size);
      context.strokeRect(atX + size / 3, atY + size / 3, size / 3, size / 3);
    }
  }

  function drawResult() {
    const { context, scale, top, left, put } = begin(ui.result);
    if (!pictures.image) return;
    if (view.result === "trimap") return put(pictures.trimap);
    if (view.result === "matte" || !pictures.alpha) return put(pictures.matte);
    pictures.cutout ??= canvasOf(pictures.image.canvas, (out) => {
      out.set(pictures.image.data);
      for (let at = 3; at < out.length; at += 4) out[at] = pictures.alpha[at - 3];
    });
    context.save();
    context.beginPath();
    context.rect(left, top, shape[1] * scale, shape[0] * scale);
    context.clip();
    drawBackdrop(context, [top, left, shape[0] * scale, shape[1] * scale]);
    context.restore();
    return put(pictures.cutout);
  }

  function drawBackdrop(context, [top, left, height, width]) {
    if (backdrop.kind === "photo" && backdrop.photo) {
      const { photo } = backdrop;
      const scale = Math.max(height / photo.height, width / photo.width); // covers all of it
      const [h_, w] = [photo.height * scale, photo.width * scale];
      return context.drawImage(photo, left + (width - w) / 2, top + (height - h_) / 2, w, h_);
    }
    context.fillStyle = backdrop.kind === "colour" ? backdrop.colour : checker(context);
    return context.fillRect(left, top, width, height);
  }

  function choosePhoto(file) {
    if (!file) return;
    createImageBitmap(file).then(
      (photo) => { Object.assign(backdrop, { kind: "photo", photo }); press3("photo"); draw(); },
      () => showError(`${file.name} cannot be read as a picture.`),
    );
  }
  function press3(kind) {
    backdrop.kind = kind;
    for (const [name, button] of Object.entries(ui.kinds)) press(button, name === kind);
  }

  // ---------------------------------------------------------------- together

  for (const [label, button] of Object.entries(ui.answers)) button.onclick = () => act.answer(label);
  for (const [tool, button] of Object.entries(ui.tools)) button.onclick = () => act.tool(tool);
  for (const [label, button] of Object.entries(ui.labels)) button.onclick = () => act.label(label);
  for (const [result, button] of Object.entries(ui.results)) button.onclick = () => { act.result(result); draw(); };
  for (const name of ["skip", "undo", "redo", "heat", "fit", "export", "done"]) ui[name].onclick = () => { act[name](); draw(); };
  ui.larger.onclick = () => { act.zoom(1.5); draw(); };
  ui.smaller.onclick = () => { act.zoom(1 / 1.5); draw(); };
  ui.radius.oninput = () => act.radius(Number(ui.radius.value));
  ui.dismiss.onclick = () => showError("");
  ui.kinds.checker.onclick = () => { press3("checker"); draw(); };
  ui.kinds.photo.onclick = () => ui.photo.click();
  ui.photo.onchange = () => { choosePhoto(ui.photo.files[0]); ui.photo.value = ""; };
  ui.colour.oninput = () => { backdrop.colour = ui.colour.value; press3("colour"); draw(); };
  ui.colour.onclick = () => { press3("colour"); draw(); };
  for (const canvas of [ui.image, ui.result]) {
    Object.assign(canvas, {
      onpointerdown: onPointerDown, onpointermove: onPointerMove, onpointerup: onPointerUp, onpointercancel: onPointerUp,
      onpointerleave: () => { pointer = hover = null; draw(false); }, oncontextmenu: (event) => event.preventDefault(),
    });
    canvas.addEventListener("wheel", onWheel, { passive: false });
  }
  ui.root.addEventListener("keydown", onKeyDown);
  ui.root.addEventListener("keyup", onKeyUp);
  ui.root.addEventListener("focusout", stopMoving);
  const observer = new ResizeObserver(() => draw());
  observer.observe(ui.image);
  observer.observe(ui.result);
  act.tool("answer");
  act.label("foreground");
  act.result("matte");
  press3("checker");
  showQuestion();
  model.on("msg:custom", onMessage);
  send({ do: "hello" });
  return () => {
    model.off("msg:custom", onMessage);
    observer.disconnect();
    clearTimeout(waiting);
    cancelAnimationFrame(frame);
  };
}

// -------------------------------------------------------------------- elements

function build(el, canFinish) {
  const ui = {};
  const named = (name, element) => (ui[name] = element);
  const group = (name, label, entries) => {
    ui[name] = Object.fromEntries(entries);
    return h("div", { class: "am-group", role: "group", "aria-label": label }, ...Object.values(ui[name]));
  };
  const answers = ["foreground", "background", "mixed"];
  ui.answers = Object.fromEntries(answers.map((label) => [label, answerButton(label)]));
  ui.root = h("div", { class: "active-matting", tabindex: 0, role: "application", "data-lm-suppress-shortcuts": "true",
    "aria-label": "Label a photograph; keys F, B, M answer, S skips, U takes back" },
  h("div", { class: "am-row am-top" },
    h("div", { class: "am-question" }, named("question", h("span", { role: "status" })),
      named("spinner", h("span", { class: "am-spinner", "aria-hidden": "true" }))),
    h("div", { class: "am-group am-answers", role: "group", "aria-label": "Answer" }, ...Object.values(ui.answers),
      named("skip", button("Skip", "Ask elsewhere (S)", "s"))),
    h("div", { class: "am-group" }, named("undo", button("Undo", "Take back (U)")),
      named("redo", button("Redo", "Say again (R, or Shift+U)")))),
  named("error", h("div", { class: "am-error", role: "alert", hidden: true }, named("errorText", h("span")),
    named("dismiss", h("button", { class: "am-link", title: "Dismiss", "aria-label": "Dismiss this message" }, "✕")))),
  named("notice", h("div", { class: "am-notice", role: "status", hidden: true })),
  h("div", { class: "am-panels" },
    h("div", { class: "am-panel" },
      h("div", { class: "am-row" },
        group("tools", "Tool", [["answer", button("Answer", "Answer about the square (A)")],
          ["draw", button("Draw", "Click or draw over what you know (D)")]]),
        h("div", { class: "am-row am-brush" },
          group("labels", "What is drawn", Object.entries(LABELS).map(([label, { name }]) => [label, swatch(label, name)])),
          named("radius", h("input", { type: "range", min: 1, max: 80, value: 6, title: "Size of the brush ([ and ])",
            "aria-label": "Size of the brush" })))),
      named("image", h("canvas", { class: "am-image", role: "img", "aria-label": "The photograph with the asked region" }))),
    h("div", { class: "am-panel" },
      h("div", { class: "am-row" },
        group("results", "Result", [["matte", button("Matte", "How opaque (T)")],
          ["trimap", button("Trimap", "What was told (T)")], ["cutout", button("Cut-out", "Over another ground (T)")]]),
        named("backdrops", h("div", { class: "am-row", hidden: true },
          group("kinds", "Ground", [["checker", button("▦", "Over a checkerboard")],
            ["colour", h("label", { class: "am-colour", title: "Over any colour" },
              named("colour", h("input", { type: "color", value: "#3b82f6", "aria-label": "Over any colour" })))],
            ["photo", button("Photo…", "Over a photograph from this computer")]])))),
      named("result", h("canvas", { class: "am-result", role: "img", "aria-label": "The result" })))),
  named("photo", h("input", { type: "file", accept: "image/*", hidden: true, tabindex: -1 })),
  named("progress", h("div", { class: "am-progress", role: "progressbar", "aria-label": "Answers", "aria-valuemin": 0 },
    named("bar", h("div")))),
  h("div", { class: "am-row am-bottom" },
    h("div", { class: "am-told" }, named("words", h("div")), named("busy", h("div", { class: "am-quiet" })),
      named("enough", h("div", { class: "am-enough", hidden: true })), named("files", h("div", { class: "am-files", hidden: true }))),
    h("div", { class: "am-group" }, named("heat", button("Heat map", "Where an answer may help (H)"))),
    h("div", { class: "am-group", role: "group", "aria-label": "Zoom" },
      named("smaller", button("−", "Zoom out (−)")), named("zoom", h("span", { class: "am-zoom" }, "100 %")),
      named("larger", button("+", "Zoom in (+)")), named("fit", button("Fit", "Fit the picture (0)"))),
    h("div", { class: "am-group" },
      named("export", h("button", { class: "am-main", title: "Write cut-out, alpha, labels and session" }, "Export")),
      named("done", h("button", { class: "am-main", title: "Export and stop", hidden: !canFinish }, "Done")))),
  h("details", { class: "am-help" }, h("summary", {}, "Keys"),
    h("dl", {}, ...KEYS.flatMap(([key, what]) => [h("dt", {}, key), h("dd", {}, what)]))));
  el.replaceChildren(ui.root);
  return ui;
}

function answerButton(label) {
  const { name, key } = LABELS[label];
  const made = button(name, `All of the square is ${name.toLowerCase()} (${key.toUpperCase()})`, key);
  made.classList.add(`am-${label}`);
  made.disabled = true;
  return made;
}

function button(name, title, key = "") {
  return h("button", { type: "button", title, "aria-label": title }, name, ...(key ? [h("kbd", {}, key.toUpperCase())] : []));
}

function swatch(label, name) {
  return h("button", { type: "button", class: `am-swatch am-${label}`, title: `Draw: ${name.toLowerCase()}`,
    "aria-label": `Draw: ${name.toLowerCase()}` }, name[0]);
}

function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "hidden") element.hidden = value;
    else if (typeof value === "function") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function press(element, isPressed) {
  element.setAttribute("aria-pressed", isPressed);
}

// -------------------------------------------------------------------- pictures

function canvasOf({ width, height }, fill) {
  const canvas = h("canvas");
  Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  fill(pixels.data);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** A bitmap's canvas and its pixels, RGBA. */
function pixelsOf(bitmap) {
  const canvas = h("canvas");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return { canvas, data: context.getImageData(0, 0, bitmap.width, bitmap.height).data };
}

function tint(labels, out) {
  for (let at = 0; at < out.length; at += 4) {
    const label = LABEL_OF_BYTE[labels[at]];
    if (label) out.set([...LABELS[label].colour, 90], at);
  }
}

function trimap(labels, out) {
  const greys = { foreground: 255, background: 0, mixed: 170 };
  for (let at = 0; at < out.length; at += 4) {
    const grey = greys[LABEL_OF_BYTE[labels[at]]] ?? 118;
    out.set([grey, grey, grey, 255], at);
  }
}

function heat(values, out) {
  for (let at = 0; at < out.length; at += 4) {
    const place = (values[at] / 255) * (HEAT.length - 1);
    const [low, part] = [Math.min(Math.floor(place), HEAT.length - 2), place - Math.min(Math.floor(place), HEAT.length - 2)];
    for (let c = 0; c < 3; c += 1) out[at + c] = HEAT[low][c] + part * (HEAT[low + 1][c] - HEAT[low][c]);
    out[at + 3] = 60 + 0.55 * values[at];
  }
}

function checker(context) {
  const canvas = h("canvas", { width: 20, height: 20 });
  const tile = canvas.getContext("2d");
  tile.fillStyle = "#fff";
  tile.fillRect(0, 0, 20, 20);
  tile.fillStyle = "#c9c9c9";
  tile.fillRect(0, 0, 10, 10);
  tile.fillRect(10, 10, 10, 10);
  return context.createPattern(canvas, "repeat");
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function centreOf({ top, left, side }) {
  return [top + side / 2, left + side / 2];
}

function rgb([red, green, blue], opacity = 1) {
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}

function seconds(value) {
  return value < 1 ? `${Math.max(1, Math.round(1000 * value))} ms` : `${value.toFixed(1)} s`;
}
