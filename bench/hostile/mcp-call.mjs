// A client over Streamable HTTP that does no more than the specification asks of one, from an address of its own.
import http from 'node:http';

export const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
export const rpc = (method, params) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

/** @returns {Promise<{ status: number | 'cut', headers: object }>} the answer once it is read to its end; a connection that ended is an answer too */
export function post(url, route, text, { from, headers = {} }) {
  return new Promise((resolve) => {
    const cut = () => resolve({ status: 'cut', headers: {} });
    const request = http.request(`${url}${route}`, { method: 'POST', localAddress: from, agent: false, headers: { ...json, 'content-length': Buffer.byteLength(text), ...headers } }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers })).on('error', cut);
    });
    request.on('error', cut);
    request.end(text);
  });
}

/** @returns the headers of a session that calls of it carry */
export async function openSession(url, from) {
  const { status, headers } = await post(url, '/api/mcp', rpc('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }), { from });
  if (status !== 200) throw new Error(`initialize was answered ${status}`);
  return { 'mcp-session-id': headers['mcp-session-id'], 'mcp-protocol-version': '2025-11-25' };
}
