// Loads tiles' pictures, a few at a time: a browser opens six connections to a server, and a question must not wait
// behind a wall of pictures.

const AT_A_TIME = 4;

const waiting: { picture: HTMLImageElement; url: string }[] = [];
let loading = 0;

/** Gives a picture its address when its turn comes; one that has left the document by then is passed over. */
export function loadPicture(picture: HTMLImageElement, url: string): HTMLImageElement {
  waiting.push({ picture, url });
  // Not before the caller has put it into the document.
  queueMicrotask(next);
  return picture;
}

function next(): void {
  while (loading < AT_A_TIME) {
    const turn = waiting.shift();
    if (!turn) return;
    if (turn.picture.isConnected) begin(turn.picture, turn.url);
  }
}

function begin(picture: HTMLImageElement, url: string): void {
  loading++;
  const done = (): void => {
    loading--;
    next();
  };
  picture.addEventListener("load", done, { once: true });
  picture.addEventListener("error", done, { once: true });
  picture.src = url;
}
