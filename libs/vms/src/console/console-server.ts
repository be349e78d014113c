import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { WebSocket, WebSocketServer } from 'ws';
import { AppError, errorMessage, RequestGuard, Settings, statusOf, toAppError } from '#libs/platform';
import { ConsoleAccess, type ConsoleVm } from './console-access.js';
import { bridge } from './console-bridge.js';
import { ConsoleBudgets } from './console-budget.js';
import { ConsoleAuthorizer, type ConsolePass } from './console-authorizer.js';
import { ConsoleTimeouts } from './console-timeouts.js';
import { ConsoleTyping } from './console-typing.js';
import { OpenConsoles } from './open-consoles.js';

const path = '/api/vms/console';
/** The one subprotocol; the token travels beside it as another, since a URL ends up in logs. */
const protocol = 'openfactory-console.v1';
const tokenPrefix = 'token.';
/** What browsers send are keys, motions and pasted text. */
const maxMessageBytes = 1024 * 1024;
/** Pieces of one message: browsers cut what is long into some. */
const mostFragments = 32;
const mostPerOwner = 10;
const mostInAll = 200;

/**
 * The websocket endpoint of consoles, on the API's own HTTP server. Host and Origin are checked before anything is accepted; who has no right is
 * accepted and at once closed with code 4000 + HTTP status and the reason's word, because browsers show pages nothing of a refused upgrade.
 */
@Injectable()
export class ConsoleServer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(ConsoleServer.name);
  // Pings are answered by the bridge: the library cuts off who sends many, and nobody is told why.
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    maxFragments: mostFragments,
    perMessageDeflate: false,
    autoPong: false,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });
  readonly #guard: RequestGuard;
  /** Owners of the consoles that are open or being opened. */
  readonly #admitted = new Map<WebSocket, string>();
  readonly #budgets = new ConsoleBudgets();
  #isStopping = false;

  constructor(
    private readonly authorizer: ConsoleAuthorizer,
    private readonly access: ConsoleAccess,
    private readonly consoles: OpenConsoles,
    private readonly timeouts: ConsoleTimeouts,
    private readonly adapters: HttpAdapterHost,
    settings: Settings,
  ) {
    this.#guard = new RequestGuard(settings);
  }

  onApplicationBootstrap(): void {
    const server = this.adapters.httpAdapter.getHttpServer() as Server & {
      shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
    };
    // Other requests that offer an upgrade, such as curl's to HTTP/2, are answered as if they did not (node:http, shouldUpgradeCallback).
    server.shouldUpgradeCallback = isForConsole;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.upgrade(request, socket, head),
    );
  }

  beforeApplicationShutdown(): void {
    this.#isStopping = true;
    this.consoles.closeAll({ code: 1001, reason: 'factory_stopping' });
    for (const socket of this.#sockets.clients)
      if (socket.readyState !== WebSocket.CLOSED) setTimeout(() => socket.terminate(), 500).unref();
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    if (!isForConsole(request)) return refuse(socket, 404);
    try {
      this.#guard.check(request);
    } catch {
      return refuse(socket, 403);
    }
    const token = tokenOf(request);
    if (token === undefined) return refuse(socket, 400);
    this.#sockets.handleUpgrade(request, socket, head, (accepted) => void this.serve(accepted, request, token));
  }

  private async serve(socket: WebSocket, request: IncomingMessage, token: string): Promise<void> {
    // The guest speaks first (RFC 6143, 7.1.1): what a browser says before that waits.
    socket.pause();
    socket.on('error', () => socket.terminate());
    // Now: a connection that is closed has no address any more.
    const connecting: { address: string; pass?: ConsolePass; vm?: ConsoleVm['vm'] } = {
      address: this.authorizer.addressOf(request),
    };
    try {
      if (this.#isStopping)
        throw new AppError({ kind: 'unavailable', reason: 'factory_stopping', message: 'The factory is stopping.' });
      const {
        vmId,
        viewOnly,
        revocationSubjects,
        checkedAt,
        makerExpiresAt: expiresAt,
      } = (connecting.pass = await this.authorizer.authorize(connecting.address, token));
      const reached = await this.access.reachById(vmId);
      const { vm, guest } = reached;
      connecting.vm = vm;
      const release = this.admit(socket, vm.ownerId);
      try {
        const screen = await guest.openScreen();
        if (socket.readyState !== WebSocket.OPEN) return void screen.destroy();
        const bridged = bridge(socket, screen, {
          viewOnly,
          budget: this.#budgets.of(vm.ownerId),
          pingMs: this.timeouts.pingMs,
          typing: new ConsoleTyping(reached, viewOnly),
        });
        socket.resume();
        this.authorizer.record(request, connecting);
        await this.consoles.watch({ vmId, guest, revocationSubjects, checkedAt, expiresAt }, bridged);
      } finally {
        release();
      }
    } catch (error) {
      this.authorizer.record(request, { ...connecting, error });
      this.close(socket, toAppError(error), error);
    }
  }

  /** Counted before the screen is opened, so that many at once do not slip through. @throws AppError `console_quota` */
  private admit(socket: WebSocket, ownerId: string): () => void {
    const all = [...this.#admitted.values()];
    if (all.length >= mostInAll || all.filter((owner) => owner === ownerId).length >= mostPerOwner) {
      throw new AppError({
        kind: 'quota',
        reason: 'console_quota',
        message: `At most ${mostPerOwner} consoles of one owner are open at once.`,
        hint: 'Close another one first.',
      });
    }
    this.#admitted.set(socket, ownerId);
    return () => this.#admitted.delete(socket);
  }

  private close(socket: WebSocket, { kind, reason, fault }: AppError, error: unknown): void {
    if (fault === 'system') this.#logger.warn(`A console could not be opened: ${errorMessage(error)}`);
    socket.resume();
    if (socket.readyState === WebSocket.OPEN) socket.close(4000 + statusOf[kind], reason);
    setTimeout(() => socket.terminate(), 5000).unref();
  }
}

const isForConsole = ({ url = '' }: IncomingMessage): boolean => url === path || url.startsWith(`${path}?`);

function tokenOf({ headers }: IncomingMessage): string | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  return offered.includes(protocol)
    ? offered.find((name) => name.startsWith(tokenPrefix))?.slice(tokenPrefix.length)
    : undefined;
}

function refuse(socket: Duplex, status: 400 | 403 | 404): void {
  const words = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found' }[status];
  socket.end(`HTTP/1.1 ${status} ${words}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
