import { Readable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import { stringify } from 'csv-stringify';
import type { Request, Response } from 'express';
import { FlowingAnswers } from '../http/flowing-answers.js';
import { PeopleOnly } from '../http/route-access.js';
import { Refuses } from '../http/route-refusals.js';
import { parseInput } from '../validation/input.js';
import { schemaOf } from '../validation/json-schema.js';
import { AuditFilterInput, AuditListInput, type AuditEntry, type AuditPage } from './audit.dto.js';
import { AuditLog } from './audit-log.js';
import { AuditRepository } from './audit.repository.js';

const columns: (keyof AuditEntry)[] = [
  'id',
  'at',
  'caller_kind',
  'owner_id',
  'principal_id',
  'key_id',
  'address',
  'edge',
  'action',
  'object',
  'result',
  'request_id',
];

/** Query parameters in OpenAPI, from the DTO that checks them. */
function ApiQueryOf(dto: new () => object): MethodDecorator {
  return (target, key, descriptor) => {
    for (const [name, { description, ...schema }] of Object.entries(schemaOf(dto).properties ?? {}))
      ApiQuery({ name, required: false, description: String(description), schema })(target, key, descriptor);
  };
}

@ApiTags('admin')
@PeopleOnly('admins')
@Controller('api/admin')
export class AuditController {
  constructor(
    private readonly entries: AuditRepository,
    private readonly audit: AuditLog,
    private readonly answers: FlowingAnswers,
  ) {}

  @Get('audit')
  @ApiOperation({ operationId: 'listAuditEntries', summary: 'Who did what, the newest first' })
  @ApiQueryOf(AuditListInput)
  @ApiOkResponse({ schema: { $ref: '#/components/schemas/AuditPage' } })
  async list(@Query() query: unknown): Promise<AuditPage> {
    const input = parseInput(AuditListInput, query);
    await this.audit.flush();
    return await this.entries.page(input);
  }

  @Get('audit.csv')
  @Refuses({ 429: ['too_many_downloads'] })
  @ApiOperation({
    operationId: 'exportAuditCsv',
    summary:
      'All of them as CSV with a header, the oldest first; what a spreadsheet would take for a formula begins with a quote',
  })
  @ApiQueryOf(AuditFilterInput)
  @ApiProduces('text/csv')
  @ApiOkResponse({ description: 'CSV (RFC 4180).', content: { 'text/csv': { schema: { type: 'string' } } } })
  async csv(@Query() query: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.export(
      { query, request, response },
      {
        type: 'text/csv; charset=utf-8; header=present',
        name: 'audit.csv',
        format: stringify({ header: true, columns, escape_formulas: true, record_delimiter: 'windows' }),
      },
    );
  }

  @Get('audit.jsonl')
  @Refuses({ 429: ['too_many_downloads'] })
  @ApiOperation({ operationId: 'exportAuditJsonLines', summary: 'All of them as JSON lines, the oldest first' })
  @ApiQueryOf(AuditFilterInput)
  @ApiProduces('application/jsonl')
  @ApiOkResponse({
    description: 'One AuditEntry a line.',
    content: { 'application/jsonl': { schema: { type: 'string' } } },
  })
  async jsonLines(@Query() query: unknown, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.export(
      { query, request, response },
      {
        type: 'application/jsonl; charset=utf-8',
        name: 'audit.jsonl',
        format: async function* (entries: AsyncIterable<AuditEntry>) {
          for await (const entry of entries) yield `${JSON.stringify(entry)}\n`;
        },
      },
    );
  }

  private async export(
    { query, request, response }: { query: unknown; request: Request; response: Response },
    {
      type,
      name,
      format,
    }: { type: string; name: string; format: Duplex | ((entries: AsyncIterable<AuditEntry>) => AsyncIterable<string>) },
  ): Promise<void> {
    const filter = parseInput(AuditFilterInput, query);
    this.answers.admit(request, response);
    await this.audit.flush();
    response.writeHead(200, { 'Content-Type': type, 'Content-Disposition': `attachment; filename="${name}"` });
    // Half an export must not look like a whole one: the connection is cut.
    await pipeline(Readable.from(this.entries.all(filter)), format as Duplex, response).catch(() => response.destroy());
  }
}
