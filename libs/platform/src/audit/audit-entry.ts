import type { Grant } from '../caller/caller.js';
import { clip } from '../errors/app-error.js';

/** By which edge somebody came. */
export const auditEdges = ['rest', 'mcp', 'console', 'cli'] as const;
export type AuditEdge = (typeof auditEdges)[number];

/** Somebody who asked, or an account of the host at the command line: `host:root`, who has no things of their own. */
export type AuditedCaller =
  Pick<Grant, 'kind' | 'ownerId' | 'principalId'> | { kind: 'host'; ownerId?: undefined; principalId: string };

/** What somebody did, or was not let do. Names and ids only: never a body, a password, an e-mail address or a token. */
export interface AuditEvent {
  /** Undefined where nobody knows who it was. */
  caller?: AuditedCaller | undefined;
  address?: string | undefined;
  /** Undefined for what the log says of itself. */
  edge?: AuditEdge;
  /** operationId of a route, name of a tool, or a snake_case word. */
  action: string;
  /** Id of what it was done to. */
  object?: string | undefined;
  /** The reason of the refusal; ok where it is not given. */
  result?: string | undefined;
  requestId?: string | undefined;
}

export interface RefusedCredentials {
  address: string;
  edge: AuditEdge;
  reason: string;
  requestId?: string;
}

/** A row of audit_entry, as it is stored and told. */
export interface AuditRow {
  at: string;
  caller_kind: string | null;
  owner_id: string | null;
  principal_id: string | null;
  /** Where the principal is an API key. */
  key_id: string | null;
  address: string | null;
  edge: string | null;
  action: string;
  object: string | null;
  result: string;
  request_id: string | null;
}

const keyPrincipal = /^key:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

export function auditRow(
  { caller, address, edge, action, object, result = 'ok', requestId }: AuditEvent,
  at: Date,
): AuditRow {
  return {
    at: at.toISOString(),
    caller_kind: caller?.kind ?? null,
    owner_id: storable(caller?.ownerId),
    principal_id: storable(caller?.principalId),
    key_id: keyPrincipal.exec(caller?.principalId ?? '')?.[1] ?? null,
    address: storable(address),
    edge: edge ?? null,
    action: storable(action) ?? '',
    object: storable(object),
    result: storable(result) ?? '',
    request_id: storable(requestId),
  };
}

/** Bounded, and without what PostgreSQL takes in no text: NUL (clip) and half of a surrogate pair. */
function storable(text: string | undefined): string | null {
  return text === undefined ? null : clip(text, 200).replace(/\p{Cs}/gu, '\ufffd');
}
