/** How often an open console is looked after; tests are less patient. */
export class ConsoleTimeouts {
  pingMs = 25_000;
  /** Whether the VM is still there and still anybody's. */
  recheckMs = 30_000;
}
