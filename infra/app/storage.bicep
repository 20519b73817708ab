metadata description = 'The one storage account: deployment package, queues, tables, and a container of backups and exports for each tenant, which the app makes itself. Nobody has a key to it; identities have roles.'

@description('Name of the storage account, unique in all of Azure.')
param name string

@description('Azure region.')
param location string

@description('Tags of the storage account.')
param tags object

@description('Redundancy of the stored rows.')
param sku string

@description('Days in which a deleted blob or container can be brought back.')
@minValue(7)
@maxValue(365)
param softDeleteDays int

@description('True lets the account be reached from private endpoints only.')
param privateNetwork bool

var deploymentContainerName = 'deployment'

// tenancy/queues.py; the host makes poison queues itself, but a function that waits on one wants it there.
var queueNames = [
  'scan-tenant'
  'scan-tenant-poison'
  'scan-subscription'
  'scan-subscription-poison'
  'notices'
  'notices-poison'
  'resource-events'
  'resource-events-poison'
  'keep-tenant'
  'keep-tenant-poison'
  'erase-tenant'
  'erase-tenant-poison'
  'jobs'
  'jobs-poison'
]

// tenancy/store.py, and the index outside the tenants (tenancy/tenants.py)
var tableNames = [
  'tenant'
  'user'
  'connection'
  'subscription'
  'settings'
  'rule'
  'baseline'
  'pack'
  'configuration'
  'configurationhistory'
  'scan'
  'finding'
  'channel'
  'delivery'
  'notice'
  'audit'
  'usage'
  'backup'
  'platform'
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
      deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    }

    resource deployment 'containers' = {
      name: deploymentContainerName
      properties: { publicAccess: 'None' }
    }
  }

  resource queues 'queueServices' = {
    name: 'default'
  }

  resource tables 'tableServices' = {
    name: 'default'
  }
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [for queueName in queueNames: {
  parent: account::queues
  name: queueName
}]

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [for tableName in tableNames: {
  parent: account::tables
  name: tableName
}]

@description('Resource id of the storage account.')
output id string = account.id

@description('Name of the storage account.')
output name string = account.name

@description('Endpoint of the blobs.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('Endpoint of the queues.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

@description('Endpoint of the tables.')
output tableEndpoint string = account.properties.primaryEndpoints.table

@description('Name of the container that holds the deployed package.')
output deploymentContainerName string = deploymentContainerName
