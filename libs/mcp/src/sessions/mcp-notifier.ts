import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { EventBus } from '#libs/platform';
import { LIST_CHANGED, RESOURCE_UPDATED } from './session-registry.js';

/** Tells the sessions of every process what changed. */
@Injectable()
export class McpNotifier {
  constructor(
    private readonly events: EventBus,
    private readonly database: DataSource,
  ) {}

  /** For sessions that subscribed to the resource. URIs are ids of ours, far below the payload limit. */
  async resourceUpdated(uri: string): Promise<void> {
    await this.publish(RESOURCE_UPDATED, uri);
  }

  async listChanged(kind: 'tools' | 'resources' | 'prompts'): Promise<void> {
    await this.publish(LIST_CHANGED, kind);
  }

  private async publish(topic: string, id: string): Promise<void> {
    await this.events.publish((sql, parameters) => this.database.query(sql, parameters), topic, id);
  }
}
