import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import {
  ApiBody,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiTags,
} from '@nestjs/swagger';
import { CurrentCaller, parseInput, PeopleOnly, Refuses, type Caller } from '#libs/platform';
import { McpKeyService } from './mcp-key.service.js';
import { CreateMcpKeyInput, type CreatedMcpKey, type McpKeyList } from './mcp-keys.dto.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

/** For people only: a key that could make keys would outlive its own revocation. */
@ApiTags('mcp-keys')
@PeopleOnly()
@Controller('api/mcp-keys')
export class McpKeysController {
  constructor(private readonly keys: McpKeyService) {}

  @Post()
  @Refuses({ 403: ['sign_in_again'], 429: ['key_quota'] })
  @ApiOperation({
    operationId: 'createMcpKey',
    summary: 'Makes an API key; it is shown in this answer and never again',
    description:
      'Idempotency-Key has no effect here, because an answer with the key in it is not kept. Repeat the request and revoke the key that you did not get.',
  })
  @ApiBody(schema('CreateMcpKeyInput'))
  @ApiCreatedResponse(schema('CreatedMcpKey'))
  async create(@CurrentCaller() caller: Caller, @Body() body: unknown): Promise<CreatedMcpKey> {
    return await this.keys.create(caller, parseInput(CreateMcpKeyInput, body));
  }

  @Get()
  @ApiOperation({ operationId: 'listMcpKeys', summary: 'The caller’s API keys, without the keys themselves' })
  @ApiOkResponse(schema('McpKeyList'))
  async list(@CurrentCaller() caller: Caller): Promise<McpKeyList> {
    const keys = await this.keys.list(caller);
    return { keys, total: keys.length };
  }

  @Delete(':id')
  @HttpCode(204)
  @Refuses({ 404: ['key_not_found'] })
  @ApiOperation({ operationId: 'revokeMcpKey', summary: 'Revokes an API key: whoever uses it is disconnected at once' })
  @ApiParam({ name: 'id', type: String })
  @ApiNoContentResponse()
  async revoke(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    await this.keys.revoke(caller, id);
  }
}
