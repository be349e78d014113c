import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import pg from 'pg';
import { errorMessage } from '../errors/app-error.js';

export const DATABASE_URL = Symbol('DATABASE_URL');

/** What a listener is told: an id that something happened to, or that the connection was cut and news may have been missed. */
export type EventListener = (id: string) => void;
export interface Subscription {
  onEvent: EventListener;
  /** After a reconnect: re-read whatever the events would have told. */
  onGap?: () => void;
}

const channel = 'openfactory_event';
const probeEveryMs = 15_000;

/**
 * News between processes over LISTEN/NOTIFY (PostgreSQL manual, NOTIFY). Events carry ids only: the payload is bounded (8000 bytes),
 * and the row is the truth. Listening needs a connection of its own, for a pooled one would be handed to somebody else.
 */
@Injectable()
export class EventBus implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger('EventBus');
  private readonly subscriptions = new Map<string, Set<Subscription>>();
  private client: pg.Client | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private probeTimer: NodeJS.Timeout | undefined;
  private retryDelayMs = 100;
  private stopping = false;
  private connectedBefore = false;

  constructor(@Inject(DATABASE_URL) private readonly url: string) {}

  async onModuleInit(): Promise<void> {
    await this.connect();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.retryTimer);
    clearInterval(this.probeTimer);
    await this.client?.end().catch(() => undefined);
  }

  get connected(): boolean {
    return this.client !== undefined;
  }

  subscribe(topic: string, subscription: Subscription): () => void {
    const set = this.subscriptions.get(topic) ?? new Set();
    this.subscriptions.set(topic, set.add(subscription));
    return () => set.delete(subscription);
  }

  /**
   * Publishes with the given query function, so that an event sent inside a transaction is heard only if it commits.
   * @param topic past-tense domain word, such as `build.finished`
   */
  async publish(
    query: (sql: string, parameters: unknown[]) => Promise<unknown>,
    topic: string,
    id: string,
  ): Promise<void> {
    await query('SELECT pg_notify($1, $2)', [channel, `${topic} ${id}`]);
  }

  private async connect(): Promise<void> {
    if (this.stopping) return;
    const client = new pg.Client({
      connectionString: this.url,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      application_name: 'openfactory-events',
    });
    let lost = false;
    const onLost = (reason: string) => {
      if (lost) return;
      lost = true;
      if (this.client === client) this.client = undefined;
      clearInterval(this.probeTimer);
      void client.end().catch(() => undefined);
      this.retryLater(reason);
    };
    client.on('error', (error) => onLost(error.message));
    client.on('end', () => onLost('the connection ended'));
    client.on('notification', ({ payload }) => this.deliver(payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
    } catch (error) {
      return onLost(errorMessage(error));
    }
    this.client = client;
    this.retryDelayMs = 100;
    this.probeTimer = setInterval(() => this.probe(client, onLost), probeEveryMs).unref();
    if (this.connectedBefore) this.tellGap();
    this.connectedBefore = true;
  }

  /** A half-open connection says nothing for ever; a query that gets no answer in time unmasks it. */
  private probe(client: pg.Client, onLost: (reason: string) => void): void {
    const timer = setTimeout(() => onLost('the database did not answer'), 5_000).unref();
    client.query('SELECT 1').then(
      () => clearTimeout(timer),
      (error: unknown) => onLost(errorMessage(error)),
    );
  }

  private retryLater(reason: string): void {
    if (this.stopping) return;
    this.log.warn(`Lost the event connection (${reason}); trying again in ${this.retryDelayMs} ms`);
    this.retryTimer = setTimeout(() => void this.connect(), this.retryDelayMs);
    this.retryDelayMs = Math.min(this.retryDelayMs * 2, 5_000);
  }

  private deliver(payload: string): void {
    const space = payload.indexOf(' ');
    const id = payload.slice(space + 1);
    this.each(payload.slice(0, space), ({ onEvent }) => onEvent(id));
  }

  private tellGap(): void {
    for (const topic of this.subscriptions.keys()) this.each(topic, ({ onGap }) => onGap?.());
  }

  private each(topic: string, tell: (subscription: Subscription) => void): void {
    for (const subscription of this.subscriptions.get(topic) ?? []) {
      try {
        tell(subscription);
      } catch (error) {
        this.log.error(`A listener of ${topic} failed: ${errorMessage(error)}`);
      }
    }
  }
}
