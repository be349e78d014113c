// Accounts and their keys, made as their owners make them.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import pg from 'pg';

const mostPerAccount = 50;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

export function ask(url, { method = 'GET', headers = {}, body } = {}) {
  const text = body && JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      {
        method,
        agent,
        headers: {
          ...headers,
          ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => (answer += chunk));
        response.on('end', () =>
          response.statusCode < 300
            ? resolve(answer && JSON.parse(answer))
            : reject(new Error(`${method} ${url} answered ${response.statusCode}: ${answer}`)),
        );
      },
    );
    request.on('error', reject);
    request.end(text);
  });
}

/** @returns `count` keys, each with its owner's headers and with those of the key itself */
export async function makeKeys({ databaseUrl, url }, count) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const keys = [];
    while (keys.length < count) {
      const account = randomUUID();
      await client.query("INSERT INTO account (id, email, password_hash) VALUES ($1, $2, 'none')", [
        account,
        `${account}@example.org`,
      ]);
      const owner = { authorization: `Bearer bench-${account}` };
      for (let made = 0; made < mostPerAccount && keys.length < count; made++) {
        const { id, key } = await ask(new URL('/api/mcp-keys', url), {
          method: 'POST',
          headers: owner,
          body: { name: `bench ${made}` },
        });
        keys.push({ id, key, owner, headers: { authorization: `Bearer ${key}` } });
      }
    }
    return keys;
  } finally {
    await client.end();
  }
}

export const closeConnections = () => agent.destroy();
