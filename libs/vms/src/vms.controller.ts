import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiQuery,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { CurrentCaller, parseInput, Refuses, Settings, Toolset, withIdempotencyKey, type Caller } from '#libs/platform';
import { VmQueryService } from './vm-query.service.js';
import { VmScreenService } from './vm-screen.service.js';
import { VmService } from './vm.service.js';
import {
  CreateVmInput,
  InteractVmInput,
  ListVmsInput,
  StopVmInput,
  type VmDetails,
  type VmInteractionAnswer,
  type VmList,
} from './vms.dto.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

@ApiTags('vms')
@Toolset('vms')
@Controller('api/vms')
export class VmsController {
  constructor(
    private readonly vms: VmService,
    private readonly query: VmQueryService,
    private readonly screens: VmScreenService,
    private readonly settings: Settings,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listVms', summary: 'The caller’s VMs, the newest first' })
  @ApiQuery({ name: 'build_id', required: false })
  @ApiOkResponse(schema('VmList'))
  async list(@CurrentCaller() caller: Caller, @Query() query: unknown): Promise<VmList> {
    return await this.query.list(caller, parseInput(ListVmsInput, query));
  }

  @Post()
  @HttpCode(202)
  @Refuses({
    404: ['build_not_found', 'vm_not_found'],
    409: ['build_not_completed', 'build_without_image', 'vm_name_taken'],
    429: ['vm_quota', 'disk_quota'],
    503: ['host_full', 'vm_host_elsewhere', 'factory_stopping'],
  })
  @ApiOperation({
    operationId: 'createVm',
    summary: 'Creates a VM from a completed build and starts it; answers within seconds',
  })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'Instead of idempotency_key in the body.' })
  @ApiBody(schema('CreateVmInput'))
  @ApiAcceptedResponse({
    ...schema('VmDetails'),
    headers: { Location: { required: true, description: 'URL of the VM.', schema: { type: 'string', format: 'uri' } } },
  })
  async create(
    @CurrentCaller() caller: Caller,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
    @Headers('idempotency-key') key?: string,
  ): Promise<VmDetails> {
    const name = await this.vms.create(caller, parseInput(CreateVmInput, withIdempotencyKey(body, key)));
    response.setHeader('Location', `${this.settings.publicUrl}/api/vms/${name}`);
    return await this.query.get(caller, name);
  }

  @Get(':name')
  @Refuses({ 404: ['vm_not_found'] })
  @ApiOperation({ operationId: 'getVm', summary: 'One VM' })
  @ApiParam({ name: 'name', type: String })
  @ApiOkResponse(schema('VmDetails'))
  async get(@CurrentCaller() caller: Caller, @Param('name') name: string): Promise<VmDetails> {
    return await this.query.get(caller, name);
  }

  @Post(':name/start')
  @HttpCode(202)
  @Refuses({
    404: ['vm_not_found'],
    409: ['vm_stopping', 'vm_being_deleted'],
    503: ['host_full', 'vm_host_elsewhere', 'factory_stopping'],
  })
  @ApiOperation({ operationId: 'startVm', summary: 'Boots a stopped or failed VM from its own disk' })
  @ApiParam({ name: 'name', type: String })
  @ApiAcceptedResponse(schema('VmDetails'))
  async start(@CurrentCaller() caller: Caller, @Param('name') name: string): Promise<VmDetails> {
    await this.vms.start(caller, name);
    return await this.query.get(caller, name);
  }

  @Post(':name/stop')
  @HttpCode(202)
  @Refuses({
    404: ['vm_not_found'],
    409: ['vm_being_deleted'],
    503: [
      'vm_host_elsewhere',
      'factory_stopping',
      'guest_ended',
      'guest_peer_failed',
      'guest_flooded',
      'host_too_slow',
    ],
  })
  @ApiOperation({ operationId: 'stopVm', summary: 'Presses the power button of a VM, or with force pulls the plug' })
  @ApiParam({ name: 'name', type: String })
  @ApiBody({ required: false, schema: { type: 'object', properties: { force: { type: 'boolean', default: false } } } })
  @ApiAcceptedResponse(schema('VmDetails'))
  async stop(@CurrentCaller() caller: Caller, @Param('name') name: string, @Body() body: unknown): Promise<VmDetails> {
    const { vm_name, force } = parseInput(StopVmInput, { ...asObject(body ?? {}), vm_name: name });
    await this.vms.stop(caller, vm_name, force);
    return await this.query.get(caller, name);
  }

  @Delete(':name')
  @HttpCode(204)
  @Refuses({ 404: ['vm_not_found'], 500: ['tree_not_removed'], 503: ['vm_host_elsewhere'] })
  @ApiOperation({ operationId: 'deleteVm', summary: 'Deletes a VM in any state, with its disk' })
  @ApiParam({ name: 'name', type: String })
  @ApiNoContentResponse()
  async delete(@CurrentCaller() caller: Caller, @Param('name') name: string): Promise<void> {
    await this.vms.delete(caller, name);
  }

  @Get(':name/screenshot')
  @Refuses({
    404: ['vm_not_found'],
    409: ['vm_not_running'],
    503: [
      'vm_host_elsewhere',
      'screenshot_failed',
      'guest_ended',
      'guest_peer_failed',
      'guest_flooded',
      'host_too_slow',
    ],
  })
  @ApiOperation({ operationId: 'screenshotVm', summary: 'The screen of a running VM, as PNG in its own size' })
  @ApiParam({ name: 'name', type: String })
  @ApiProduces('image/png')
  @ApiOkResponse({ content: { 'image/png': { schema: { type: 'string', format: 'binary' } } } })
  async screenshot(
    @CurrentCaller() caller: Caller,
    @Param('name') name: string,
    @Res() response: Response,
  ): Promise<void> {
    const { png } = await this.screens.screenshot(caller, name);
    response.set({ 'Content-Type': 'image/png', 'Cache-Control': 'no-store' }).send(png);
  }

  @Post(':name/interact')
  @HttpCode(200)
  @Refuses({
    400: ['invalid_actions'],
    404: ['vm_not_found'],
    409: ['vm_not_running'],
    429: ['vm_busy'],
    503: [
      'vm_host_elsewhere',
      'screenshot_failed',
      'guest_ended',
      'guest_peer_failed',
      'guest_flooded',
      'host_too_slow',
    ],
  })
  @ApiOperation({
    operationId: 'interactVm',
    summary: 'Performs actions with mouse and keyboard; pictures come as base64 in images',
  })
  @ApiParam({ name: 'name', type: String })
  @ApiBody(schema('InteractVmInput'))
  @ApiOkResponse(schema('VmInteractionAnswer'))
  async interact(
    @CurrentCaller() caller: Caller,
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: Request,
  ): Promise<VmInteractionAnswer> {
    const gone = new AbortController();
    request.res?.once('close', () => gone.abort(new Error('The client went away.')));
    const { interaction, pictures } = await this.screens.interact(
      caller,
      parseInput(InteractVmInput, { ...asObject(body), vm_name: name }),
      gone.signal,
    );
    return { ...interaction, images: pictures.map(({ png }) => png.toString('base64')) };
  }
}

/** What is no object becomes a field that no input has, so that the refusal is that of any wrong input. */
const asObject = (body: unknown): object =>
  typeof body === 'object' && body !== null && !Array.isArray(body) ? body : { body };
