// A client that does no more than the specifications ask of one, from an address of its own.
import http from 'node:http';

export const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
export const rpc = (method, params) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

/**
 * GET, or POST where there is a text.
 * @returns {Promise<{ status: number | 'cut', headers: object, text: string }>} the answer once it is read to its end; a connection that ended is an answer too
 */
export function ask(url, route, { from, headers = {}, text, agent = false } = {}) {
  return new Promise((resolve) => {
    const cut = () => resolve({ status: 'cut', headers: {}, text: '' });
    const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
    const request = http.request(
      `${url}${route}`,
      {
        method: text === undefined ? 'GET' : 'POST',
        localAddress: from,
        agent,
        headers: { ...json, ...length, ...headers },
      },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response
          .on('end', () =>
            resolve({
              status: response.statusCode,
              headers: response.headers,
              text: Buffer.concat(chunks).toString('utf8'),
            }),
          )
          .on('error', cut);
      },
    );
    request.on('error', cut);
    request.end(text);
  });
}

export const post = (url, route, text, more) => ask(url, route, { ...more, text });

/** @returns the headers of a session that calls of it carry */
export async function openSession(url, from) {
  const { status, headers } = await post(
    url,
    '/api/mcp',
    rpc('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }),
    { from },
  );
  if (status !== 200) throw new Error(`initialize was answered ${status}`);
  return { 'mcp-session-id': headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25' };
}
