// Speaks to Handrail over HTTP: signed requests, errors as sentences, and event streams that survive a broken line.

/** The service refused: `message` is a sentence for people. */
export class Refused extends Error {
  constructor(status, problem = {}) {
    const field = problem.fields?.[0];
    const detail = field ? `${field.field}: ${field.problem}` : problem.detail;
    super([problem.title, detail].filter(Boolean).map(asSentence).join(" ") || "Something went wrong here.");
    this.status = status;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** The service could not be reached. */
export class Unreachable extends Error {
  passing = true;

  constructor() {
    super("There is no connection at the moment.");
  }
}

const SILENT_FOR = 45_000; // the service sends a sign of life every 15 seconds
const LONGEST_PAUSE = 15_000;

export class Service {
  /**
   * @param {string} origin where Handrail answers, such as https://support.example.com
   * @param {(renew: boolean) => Promise<string>} token gives the caller's token; a fresh one where `renew` is true
   */
  constructor(origin, token) {
    this.origin = origin;
    this.token = token;
  }

  get(path) {
    return this.#json("GET", path);
  }

  /** Hands a file that needs the caller's token to the browser, under the name that the service gives it. */
  async download(path) {
    const answer = await this.#signed(path, {});
    const [, name] = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "") ?? [];
    const address = URL.createObjectURL(await answer.blob());
    const link = document.createElement("a");
    Object.assign(link, { href: address, download: name ?? "document.pdf" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  post(path, body) {
    return this.#json("POST", path, body);
  }

  async #json(method, path, body) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await this.#signed(path, { method, headers, body: body && JSON.stringify(body) });
    try {
      return await answer.json();
    } catch {
      throw new Unreachable(); // the line broke within the answer
    }
  }

  /** Sends a request with the caller's token; once more with a fresh one where the first has expired. */
  async #signed(path, options, renew = false) {
    const token = await this.token(renew);
    const headers = { ...options.headers, Authorization: `Bearer ${token}` };
    let answer;
    try {
      answer = await fetch(this.origin + path, { ...options, headers });
    } catch {
      throw new Unreachable();
    }
    if (answer.ok) return answer;
    const refused = new Refused(answer.status, await answer.json().catch(() => ({})));
    if (refused.status !== 401 || renew) throw refused;
    return this.#signed(path, options, true).catch((error) => {
      throw error.status === 401 ? refused : error;
    });
  }

  /**
   * Follows an event stream until the returned function is called, coming back after every break.
   *
   * `fetch` instead of EventSource: it sends the token as a header, not in an address that ends up in logs, and it
   * tells a refusal from a broken line.
   *
   * @param {string} path of the stream
   * @param {object} on `event({kind, id, data})` for each event; `state(connected)`; `refused(error)` at the end of it
   * @param {() => number} lastId the number of the last event that was handled, from where the stream goes on
   */
  follow(path, on, lastId = () => 0) {
    const stopped = new AbortController();
    this.#keepFollowing(path, on, lastId, stopped.signal);
    return () => stopped.abort();
  }

  async #keepFollowing(path, on, lastId, stopped) {
    for (let failures = 0; !stopped.aborted; failures += 1) {
      try {
        await this.#followOnce(path, on, lastId, stopped, () => {
          failures = -1;
          on.state?.(true);
        });
      } catch (error) {
        if (stopped.aborted) return;
        if (!error.passing) return on.refused?.(error);
      }
      if (stopped.aborted) return;
      on.state?.(false);
      await pause(Math.min(LONGEST_PAUSE, 300 * 2 ** failures) * (0.75 + Math.random() / 2), stopped);
    }
  }

  async #followOnce(path, on, lastId, stopped, connected) {
    const line = new AbortController();
    const hangUp = () => line.abort();
    stopped.addEventListener("abort", hangUp);
    let silence = setTimeout(hangUp, SILENT_FOR);
    try {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(lastId()) };
      const answer = await this.#signed(path, { headers, signal: line.signal });
      connected();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for await (const event of eventsOf(reader, () => {
        clearTimeout(silence);
        silence = setTimeout(hangUp, SILENT_FOR);
      })) {
        if (stopped.aborted) return;
        on.event(event);
      }
    } catch (error) {
      throw error instanceof Refused ? error : new Unreachable();
    } finally {
      clearTimeout(silence);
      stopped.removeEventListener("abort", hangUp);
      line.abort();
    }
  }
}

/** The events of a stream of text; `alive` is called for all that arrives, signs of life included. */
async function* eventsOf(reader, alive) {
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { kind: "message", id: 0, data: "" };
      for (const line of block.split("\n")) {
        const [, name, text] = /^(event|id|data): ?(.*)$/.exec(line) ?? [];
        if (name === "event") event.kind = text;
        if (name === "id") event.id = Number(text);
        if (name === "data") event.data += text;
      }
      if (event.data) yield { ...event, data: JSON.parse(event.data) };
    }
  }
}

/** Waits; not longer than until the network or the page's visitor comes back. */
export function pause(milliseconds, stopped) {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      window.removeEventListener("online", over);
      document.removeEventListener("visibilitychange", over);
      stopped?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, milliseconds);
    window.addEventListener("online", over);
    document.addEventListener("visibilitychange", over);
    stopped?.addEventListener("abort", over);
  });
}

/** What a token says of its holder, unchecked: for labels and keys only, the service checks it. */
export function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) =>
      c.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

function asSentence(words) {
  const isName = /^\S*[@_.]\S/.test(words); // an address or an identifier keeps its spelling
  const text = isName ? words : words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
