/** How long a client that neither sends nor reads is waited for; tests are less patient. */
export class HttpTimeouts {
  /**
   * Within each span a sender has to have sent so much (or the rest). A slow line does (it is 200 bytes a second); a sender that holds a body half sent does
   * not, and is let go after one span, whatever it promised.
   */
  bodySpanMs = 20_000;
  leastBodyBytes = 4_096;
  /** A reader that took nothing for so long while something was there to take has gone, or holds the file and the connection on purpose. */
  stalledMs = 60_000;
}
