import { Injectable } from '@nestjs/common';
import { Tool } from '#libs/mcp';
import type { Caller } from '#libs/platform';
import { ConsoleUrl, ConsoleUrlInput } from './console.dto.js';
import { ConsoleUrlService } from './console-url.service.js';

@Injectable()
export class ConsoleTools {
  constructor(private readonly urls: ConsoleUrlService) {}

  @Tool({
    toolset: 'vms',
    // Its URL moves mouse and keyboard: nothing for a client that asked for tools which change nothing.
    readOnly: false,
    destructive: false,
    idempotent: true,
    openWorld: false,
    name: 'get_vm_console_url',
    title: 'Get the console URL of a VM',
    description:
      'Makes a URL of a web page that shows the screen of a running VM of yours and lets a person use it with mouse and keyboard; with view_only they can only look. Use it when your user wants to see or use the VM themselves; to act yourself, call screenshot_vm and interact_vm. The page needs no credentials: whoever has the URL has the screen. Returns the URL and until when it must be opened. Give it to your user; when it has expired, ask for another one.',
    input: ConsoleUrlInput,
    output: ConsoleUrl,
  })
  async getVmConsoleUrl(caller: Caller, input: ConsoleUrlInput): Promise<ConsoleUrl> {
    return await this.urls.url(caller, input);
  }
}
