import http from 'node:http';

/** One HTTP+SSE session that costs its own process little: answers are only parsed where the caller wants them. */
export class SseSession {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #tail = '';
  #nextId = 1;
  #onEvent = () => undefined;
  #stream;
  #postUrl;
  #headers;
  /** When its stream was closed, by whomever (performance.now()); undefined while it is open. */
  closedAt;

  constructor(headers) {
    this.#headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers };
  }

  /** @param headers of every request, such as credentials */
  static open(url, headers = {}) {
    const session = new SseSession(headers);
    return new Promise((resolve, reject) => {
      session.#onEvent = (data) => {
        session.#postUrl = new URL(data, url);
        resolve(session);
      };
      session.#stream = http.get(
        url,
        { agent: false, headers: { ...headers, accept: 'text/event-stream' } },
        (response) => {
          if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
          response.setEncoding('utf8');
          response.on('data', (chunk) => session.#take(chunk));
          response.on('error', () => undefined);
          response.on('close', () => (session.closedAt = performance.now()));
        },
      );
      session.#stream.on('error', reject);
    });
  }

  async initialise() {
    await this.call('initialize', {
      protocolVersion: '2024-11-05',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    });
    await this.#post(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  }

  /** Sends a request; done when its POST is accepted and its answer is on the stream. @returns the answer's text */
  async call(method, params = {}) {
    const answered = new Promise((resolve) => (this.#onEvent = resolve));
    const [data] = await Promise.all([
      answered,
      this.#post(JSON.stringify({ jsonrpc: '2.0', id: this.#nextId++, method, params })),
    ]);
    return data;
  }

  /** Lets go of the connection for messages, as an idle client's would time out. */
  idle() {
    this.#agent.destroy();
  }

  close() {
    this.#agent.destroy();
    this.#stream.on('error', () => undefined).destroy();
  }

  #post(body) {
    return new Promise((resolve, reject) => {
      const request = http.request(
        this.#postUrl,
        {
          agent: this.#agent,
          method: 'POST',
          headers: { ...this.#headers, 'content-length': Buffer.byteLength(body) },
        },
        (response) => {
          if (response.statusCode !== 202) reject(new Error(`A message was answered ${response.statusCode}.`));
          response.resume();
          response.on('end', resolve);
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  #take(chunk) {
    this.#tail += chunk;
    for (let end = this.#tail.indexOf('\n\n'); end >= 0; end = this.#tail.indexOf('\n\n')) {
      const event = this.#tail.slice(0, end);
      this.#tail = this.#tail.slice(end + 2);
      const data = event.indexOf('data: ');
      if (data >= 0) this.#onEvent(event.slice(data + 6));
    }
  }
}
