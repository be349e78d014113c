import { randomBytes } from 'node:crypto';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AppError, EventBus, invalidApiKey, Metrics, Revocations, Settings, type Caller } from '#libs/platform';
import type { ToolsetSelection } from '../catalogue/toolset-selection.js';
import { StreamKeeper } from '../transports/stream-keeper.js';
import type { SessionTransport } from '../transports/session-transport.js';
import type { McpSession } from './mcp-session.js';
import { SessionFactory } from './session.factory.js';
import { SessionGroups } from './session-groups.js';

const idleMs = 30 * 60_000;
const maxAgeMs = 24 * 3_600_000;
/** Old sessions end at moments spread over an hour, so that their clients do not all come back at once. */
const ageJitterMs = 3_600_000;

type EndReason = 'client' | 'evicted' | 'idle' | 'aged' | 'shutdown' | 'revoked' | 'expired';

export const RESOURCE_UPDATED = 'mcp.resource_updated';
export const LIST_CHANGED = 'mcp.list_changed';

/** The sessions of this process: opened within limits, found only by their own caller, ended when idle. */
@Injectable()
export class SessionRegistry implements OnModuleInit {
  private readonly log = new Logger('McpSessions');
  private readonly sessions = new Map<string, McpSession>();
  private readonly byPrincipal = new SessionGroups();
  private readonly byOwner = new SessionGroups();
  private readonly endReasons = new WeakMap<McpSession, EndReason>();
  private readonly closed;

  constructor(
    private readonly settings: Settings,
    private readonly factory: SessionFactory,
    private readonly events: EventBus,
    private readonly keeper: StreamKeeper,
    private readonly revocations: Revocations,
    metrics: Metrics,
  ) {
    metrics.gauge('openfactory_mcp_sessions', 'Open MCP sessions', () => this.sessions.size);
    this.closed = metrics.counter('openfactory_mcp_sessions_closed_total', 'Ended MCP sessions by reason', ['reason']);
  }

  onModuleInit(): void {
    this.keeper.onTick((now) => this.endIdle(now));
    this.revocations.onRevoked((subject) => this.endRevoked(subject));
    this.events.subscribe(RESOURCE_UPDATED, { onEvent: (uri) => this.resourceUpdated(uri) });
    this.events.subscribe(LIST_CHANGED, {
      onEvent: (kind) => this.broadcast(`notifications/${kind}/list_changed`),
      onGap: () => undefined,
    });
  }

  get size(): number {
    return this.sessions.size;
  }

  /** 192 random bits: an id cannot be guessed. */
  newId(): string {
    return randomBytes(24).toString('base64url');
  }

  /** To be asked before a stream is opened. @throws AppError `too_many_sessions` */
  admit(caller: Caller): void {
    const { mcpMaxSessions, mcpMaxSessionsPerCaller, mcpMaxSessionsPerOwner } = this.settings;
    this.makeRoom(this.byPrincipal.of(caller.principalId), mcpMaxSessionsPerCaller, 'You have');
    // An account may have any number of keys.
    this.makeRoom(this.byOwner.of(caller.ownerId), mcpMaxSessionsPerOwner, 'Your account has');
    if (this.sessions.size >= mcpMaxSessions) throw tooMany('The factory has as many sessions as it can take.');
  }

  /** Admit first. @throws AppError `invalid_api_key` where it was revoked since it was checked */
  async open(caller: Caller, selection: ToolsetSelection, transport: SessionTransport): Promise<McpSession> {
    const session = this.factory.make(caller, selection, transport);
    transport.onclose = () => this.forget(session);
    this.sessions.set(session.id, session);
    this.byPrincipal.add(caller.principalId, session);
    this.byOwner.add(caller.ownerId, session);
    await session.start();
    if (this.revocations.wasRevokedSince(caller)) {
      await this.end(session, 'revoked');
      throw invalidApiKey();
    }
    return session;
  }

  /** The caller's own session; undefined for an unknown id and for another's alike. */
  find(id: string | undefined, caller: Caller): McpSession | undefined {
    const session = id === undefined ? undefined : this.sessions.get(id);
    if (!session || session.caller.principalId !== caller.principalId) return undefined;
    session.lastUsedAt = Date.now();
    return session;
  }

  async end(session: McpSession, reason: EndReason): Promise<void> {
    if (!this.sessions.has(session.id)) return;
    this.endReasons.set(session, reason);
    await session.close();
  }

  /** Waits for running calls, then ends every session. */
  async endAll(graceMs: number): Promise<void> {
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline && [...this.sessions.values()].some((session) => session.busy))
      await new Promise((resolve) => setTimeout(resolve, 25));
    await Promise.all([...this.sessions.values()].map((session) => this.end(session, 'shutdown')));
  }

  private forget(session: McpSession): void {
    if (!this.sessions.delete(session.id)) return;
    // Nobody here ended it: its client went away, or read so slowly that its stream was given up.
    this.closed.inc({ reason: this.endReasons.get(session) ?? 'disconnected' });
    this.byPrincipal.remove(session.caller.principalId, session);
    this.byOwner.remove(session.caller.ownerId, session);
  }

  /** At once and with calls running: they are aborted, and nothing more is said. */
  private endRevoked(subject: string): void {
    for (const session of [...this.sessions.values()])
      if (session.caller.revocationSubjects.includes(subject)) void this.end(session, 'revoked');
  }

  /** @throws AppError `too_many_sessions` */
  private makeRoom(own: ReadonlySet<McpSession>, most: number, whose: string): void {
    if (own.size < most) return;
    let idlest: McpSession | undefined;
    for (const session of own)
      if (!session.busy && (!idlest || session.lastUsedAt < idlest.lastUsedAt)) idlest = session;
    if (!idlest) throw tooMany(`${whose} ${own.size} sessions, all of them busy.`);
    this.log.debug(`Ending session ${idlest.logId}, the longest idle of its caller, for a new one`);
    void this.end(idlest, 'evicted');
  }

  private endIdle(now: number): void {
    for (const session of this.sessions.values()) {
      if (session.caller.expiresAt !== undefined && session.caller.expiresAt <= now) void this.end(session, 'expired');
      if (session.busy) continue;
      const age = now - session.openedAt;
      const idle = !session.transport.connected && now - session.lastUsedAt > idleMs;
      if (idle) void this.end(session, 'idle');
      else if (age > maxAgeMs + (Number.parseInt(session.logId, 16) % ageJitterMs)) void this.end(session, 'aged');
    }
  }

  private resourceUpdated(uri: string): void {
    for (const session of this.sessions.values()) {
      if (session.subscriptions.has(uri))
        void session.notify({ method: 'notifications/resources/updated', params: { uri } });
    }
  }

  private broadcast(method: string): void {
    for (const session of this.sessions.values()) void session.notify({ method });
  }
}

function tooMany(message: string): AppError {
  return new AppError({
    kind: 'quota',
    reason: 'too_many_sessions',
    message,
    hint: 'Close sessions you no longer need, or come back later.',
    retryAfterSeconds: 10,
  });
}
