// The widget on a page of its own: over a web socket it gets what a notebook would give it.

import widget from "./widget.js";

const LOST = "The connection to active-matting is lost; was it stopped? Trying again…";
const listeners = new Set();
const unsent = [];
let socket = null;
let isOver = false;

const model = {
  get: (name) => name === "can_finish",
  on: (_, listener) => listeners.add(listener),
  off: (_, listener) => listeners.delete(listener),
  send(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    else unsent.push(message);
  },
};

function tell(event, buffers = []) {
  for (const listener of listeners) listener(event, buffers);
}

function connect() {
  socket = new WebSocket(new URL("socket", location.href.replace(/^http/, "ws")));
  socket.binaryType = "arraybuffer";
  let event = null; // whose buffers are still to come, each a message of its own
  let buffers = [];
  socket.onopen = () => {
    for (const message of unsent.splice(0)) model.send(message);
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") [event, buffers] = [JSON.parse(data), []];
    else buffers.push(data);
    if (buffers.length < event.buffers) return;
    isOver ||= event.event === "finished";
    tell(event, buffers);
  };
  socket.onclose = () => {
    if (isOver) return;
    tell({ event: "lost", text: LOST });
    setTimeout(() => {
      if (!unsent.length) unsent.push({ do: "hello" });
      connect();
    }, 1500);
  };
}

connect();
widget.render({ model, el: document.getElementById("widget") });
document.querySelector(".active-matting").focus();
