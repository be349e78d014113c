import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Resource, ResourceContents, ResourceTemplate } from '@modelcontextprotocol/sdk/types.js';
import type { Caller } from '#libs/platform';
import { ResourceCatalogue, ResourceProvider } from '#libs/mcp';
import { redPixelPng } from './conformance-media.js';

type Contents = ResourceContents & ({ text: string } | { blob: string });

const fixed: { resource: Resource; contents: Contents }[] = [
  {
    resource: described('test://static-text', 'text/plain'),
    contents: {
      uri: 'test://static-text',
      mimeType: 'text/plain',
      text: 'This is the content of the static text resource.',
    },
  },
  {
    resource: described('test://static-binary', 'image/png'),
    contents: { uri: 'test://static-binary', mimeType: 'image/png', blob: redPixelPng },
  },
  {
    resource: described('test://watched-resource', 'text/plain'),
    contents: { uri: 'test://watched-resource', mimeType: 'text/plain', text: 'Subscribe to this one.' },
  },
];
const templateUri = /^test:\/\/template\/([^/]+)\/data$/;

/** The resources that @modelcontextprotocol/conformance reads and subscribes to. */
@Injectable()
export class ConformanceResources extends ResourceProvider implements OnModuleInit {
  readonly scheme = 'test';

  constructor(private readonly catalogue: ResourceCatalogue) {
    super();
  }

  onModuleInit(): void {
    this.catalogue.register(this);
  }

  async list(): Promise<Resource[]> {
    return await Promise.resolve(fixed.map(({ resource }) => resource));
  }

  templates(): ResourceTemplate[] {
    return [
      {
        uriTemplate: 'test://template/{id}/data',
        name: 'template-data',
        description: 'Says back the id it is read with.',
        mimeType: 'application/json',
      },
    ];
  }

  async read(_: Caller, uri: string): Promise<ResourceContents[] | undefined> {
    const id = templateUri.exec(uri)?.[1];
    const contents =
      id === undefined ? fixed.find(({ resource }) => resource.uri === uri)?.contents : templateContents(uri, id);
    return await Promise.resolve(contents && [contents]);
  }
}

function described(uri: string, mimeType: string): Resource {
  return { uri, name: uri.replace('test://', ''), description: `The conformance suite's ${uri}.`, mimeType };
}

function templateContents(uri: string, id: string): Contents {
  return {
    uri,
    mimeType: 'application/json',
    text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
  };
}
