import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';

/** Knows whether the process is on its way out, so that load balancers and edges can turn new work away first. */
@Injectable()
export class Readiness implements BeforeApplicationShutdown {
  stopping = false;

  beforeApplicationShutdown(): void {
    this.stopping = true;
  }
}
