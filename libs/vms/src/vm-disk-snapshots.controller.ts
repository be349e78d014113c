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
import { CurrentCaller, parseInput, Refuses, Toolset, type Caller } from '#libs/platform';
import { VmDiskSnapshotService } from './vm-disk-snapshot.service.js';
import { CreateDiskSnapshotInput, type VmDiskSnapshot, type VmDiskSnapshotList } from './vms.dto.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

@ApiTags('vms')
@Toolset('vms')
@Controller('api/vms/:name/snapshots')
export class VmDiskSnapshotsController {
  constructor(private readonly snapshots: VmDiskSnapshotService) {}

  @Get()
  @Refuses({ 404: ['vm_not_found'] })
  @ApiOperation({ operationId: 'listVmSnapshots', summary: 'Snapshots of the disk of a VM' })
  @ApiParam({ name: 'name', type: String })
  @ApiOkResponse(schema('VmDiskSnapshotList'))
  async list(@CurrentCaller() caller: Caller, @Param('name') name: string): Promise<VmDiskSnapshotList> {
    return await this.snapshots.list(caller, name);
  }

  @Post()
  @Refuses({
    404: ['vm_not_found'],
    409: ['vm_snapshot_exists', 'vm_without_disk', 'vm_not_settled', 'vm_being_deleted'],
    429: ['vm_snapshot_quota', 'disk_quota', 'vm_busy'],
    503: [
      'vm_host_elsewhere',
      'factory_stopping',
      'disk_failed',
      'guest_ended',
      'guest_peer_failed',
      'guest_flooded',
      'host_too_slow',
    ],
  })
  @ApiOperation({ operationId: 'createVmSnapshot', summary: 'Keeps the disk of a VM as it is now' })
  @ApiParam({ name: 'name', type: String })
  @ApiBody(schema('CreateDiskSnapshotInput'))
  @ApiCreatedResponse(schema('VmDiskSnapshot'))
  async create(
    @CurrentCaller() caller: Caller,
    @Param('name') name: string,
    @Body() body: unknown,
  ): Promise<VmDiskSnapshot> {
    return await this.snapshots.create(caller, name, parseInput(CreateDiskSnapshotInput, body).name);
  }

  @Post(':snapshot/restore')
  @HttpCode(204)
  @Refuses({
    404: ['vm_not_found', 'vm_snapshot_not_found'],
    409: ['vm_not_stopped', 'vm_not_settled', 'vm_being_deleted'],
    429: ['vm_busy'],
    503: ['vm_host_elsewhere', 'factory_stopping', 'disk_failed'],
  })
  @ApiOperation({
    operationId: 'restoreVmSnapshot',
    summary: 'Sets the disk of a stopped VM back; what was written since is lost',
  })
  @ApiParam({ name: 'name', type: String })
  @ApiParam({ name: 'snapshot', type: String })
  @ApiNoContentResponse()
  async restore(
    @CurrentCaller() caller: Caller,
    @Param('name') name: string,
    @Param('snapshot') snapshot: string,
  ): Promise<void> {
    await this.snapshots.restore(caller, name, snapshot);
  }

  @Delete(':snapshot')
  @HttpCode(204)
  @Refuses({
    404: ['vm_not_found', 'vm_snapshot_not_found'],
    409: ['vm_not_stopped', 'vm_not_settled', 'vm_being_deleted'],
    429: ['vm_busy'],
    503: ['vm_host_elsewhere', 'factory_stopping', 'disk_failed'],
  })
  @ApiOperation({ operationId: 'deleteVmSnapshot', summary: 'Forgets a snapshot of the disk of a stopped VM' })
  @ApiParam({ name: 'name', type: String })
  @ApiParam({ name: 'snapshot', type: String })
  @ApiNoContentResponse()
  async delete(
    @CurrentCaller() caller: Caller,
    @Param('name') name: string,
    @Param('snapshot') snapshot: string,
  ): Promise<void> {
    await this.snapshots.delete(caller, name, snapshot);
  }
}
