metadata description = 'Optional: a virtual network through which the app reaches storage and vault, which are then closed to everybody else.'

@description('Name of the virtual network.')
param name string

@description('Name of the network security group of both subnets.')
param securityGroupName string

@description('Name of the NAT gateway of the app.')
param gatewayName string

@description('Name of the public address that the app is seen with.')
param addressName string

@description('Start of the names of private endpoints.')
param endpointPrefix string

@description('Azure region.')
param location string

@description('Tags of everything in here.')
param tags object

@description('Address space of the network; the app takes its first /26, private endpoints the second.')
param addressPrefix string

@description('Resource id of the storage account.')
param storageId string

@description('Resource id of the vault.')
param vaultId string

var endpoints = [
  { name: 'blob', target: storageId, zone: 'privatelink.blob.${environment().suffixes.storage}' }
  { name: 'queue', target: storageId, zone: 'privatelink.queue.${environment().suffixes.storage}' }
  { name: 'table', target: storageId, zone: 'privatelink.table.${environment().suffixes.storage}' }
  { name: 'vault', target: vaultId, zone: vaultZone }
]
// The vaults' public suffix, .vault.azure.net, has another private name: privatelink.vaultcore.azure.net.
var vaultZone = 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'

resource securityGroup 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: securityGroupName
  location: location
  tags: tags
}

// The way out: to Entra ID, Resource Manager and the logs. New networks have none by themselves; and the one address it
// has is what customers can let in.
resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: addressName
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/natGateways@2024-05-01' = {
  name: gatewayName
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: address.id }] }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          natGateway: { id: gateway.id }
          networkSecurityGroup: { id: securityGroup.id }
          delegations: [
            {
              name: 'flex'
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          networkSecurityGroup: { id: securityGroup.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }

  resource app 'subnets' existing = {
    name: 'app'
  }

  resource inner 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for endpoint in endpoints: {
  name: endpoint.zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (endpoint, index) in endpoints: {
  parent: zones[index]
  name: '${network.name}-${endpoint.name}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: network.id }
  }
}]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for endpoint in endpoints: {
  name: '${endpointPrefix}${endpoint.name}'
  location: location
  tags: tags
  properties: {
    subnet: { id: network::inner.id }
    privateLinkServiceConnections: [
      {
        name: endpoint.name
        properties: {
          groupIds: [endpoint.name]
          privateLinkServiceId: endpoint.target
        }
      }
    ]
  }
}]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (endpoint, index) in endpoints: {
  parent: privateEndpoints[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: endpoint.name
        properties: { privateDnsZoneId: zones[index].id }
      }
    ]
  }
}]

@description('Subnet the app sends from.')
output appSubnetId string = network::app.id

@description('Address the app is seen with by customers.')
output outboundAddress string = address.properties.ipAddress
