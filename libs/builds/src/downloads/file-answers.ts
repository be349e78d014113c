import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { Refuses, type Refusals } from '#libs/platform';

const text = { type: 'string' } as const;
const header = (description: string) => ({ required: true, description, schema: text });
const headers = {
  ETag: header('The sha256 of the file, in quotes.'),
  'Accept-Ranges': header('bytes'),
  'Content-Disposition': header('The name of the file.'),
  'X-Checksum-Sha256': header('The sha256 of the whole file, hex.'),
};
const content = { '*/*': { schema: { type: 'string', format: 'binary' } } } as const;

/** For OpenAPI: what sendArtifact answers, and why its routes refuse. */
export const FileAnswers = (refusals: Refusals): MethodDecorator =>
  applyDecorators(
    Refuses({ ...refusals, 416: ['range_not_satisfiable'], 429: ['too_many_downloads'] }),
    ApiProduces('*/*'),
    ApiHeader({ name: 'Range', required: false, description: 'One range of bytes (RFC 9110, 14.2).' }),
    ApiHeader({ name: 'If-Range', required: false, description: 'An ETag: for another file the whole is sent.' }),
    ApiHeader({ name: 'If-None-Match', required: false, description: 'ETags of what is there already.' }),
    ApiResponse({ status: 200, description: 'The file.', headers, content }),
    ApiResponse({
      status: 206,
      description: 'A part of the file.',
      headers: { ...headers, 'Content-Range': header('Which bytes of how many.') },
      content,
    }),
    ApiResponse({ status: 304, description: 'It is there already.', headers: { ETag: headers.ETag } }),
  );
