import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { CurrentCaller, parseInput, ReadOnlyRoute, Refuses, Toolset, type Caller } from '#libs/platform';
import { ConsoleUrlInput, type ConsoleUrl } from './console.dto.js';
import { ConsoleUrlService } from './console-url.service.js';

@ApiTags('vms')
@Toolset('vms')
@Controller('api/vms')
export class ConsoleController {
  constructor(private readonly urls: ConsoleUrlService) {}

  @ReadOnlyRoute()
  @Post(':name/console-url')
  @HttpCode(200)
  @Refuses({ 404: ['vm_not_found'], 409: ['vm_not_running'], 503: ['vm_host_elsewhere'] })
  @ApiOperation({
    operationId: 'getVmConsoleUrl',
    summary: 'A URL of the console of a running VM, to be opened within minutes; needs no credentials',
  })
  @ApiParam({ name: 'name', type: String })
  @ApiBody({
    required: false,
    schema: { type: 'object', properties: { view_only: { type: 'boolean', default: false } } },
  })
  @ApiOkResponse({ schema: { $ref: '#/components/schemas/ConsoleUrl' } })
  async url(@CurrentCaller() caller: Caller, @Param('name') name: string, @Body() body: unknown): Promise<ConsoleUrl> {
    const given =
      typeof body === 'object' && body !== null && !Array.isArray(body)
        ? body
        : body === undefined || body === null
          ? {}
          : { body };
    return await this.urls.url(caller, parseInput(ConsoleUrlInput, { ...given, vm_name: name }));
  }
}
