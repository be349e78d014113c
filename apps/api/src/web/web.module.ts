import { Module } from '@nestjs/common';
import { WebFiles } from './web-files.js';
import { WebPagesController } from './web-pages.controller.js';

/** Imported last: its last route takes every address that no other does. */
@Module({ controllers: [WebPagesController], providers: [WebFiles] })
export class WebModule {}
