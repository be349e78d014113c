import type { McpSession } from './mcp-session.js';

const none: ReadonlySet<McpSession> = new Set();

/** Sessions by whose they are. */
export class SessionGroups {
  private readonly groups = new Map<string, Set<McpSession>>();

  of(name: string): ReadonlySet<McpSession> {
    return this.groups.get(name) ?? none;
  }

  add(name: string, session: McpSession): void {
    const group = this.groups.get(name) ?? new Set();
    this.groups.set(name, group.add(session));
  }

  remove(name: string, session: McpSession): void {
    const group = this.groups.get(name);
    group?.delete(session);
    if (group?.size === 0) this.groups.delete(name);
  }
}
