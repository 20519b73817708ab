metadata description = 'The workbook for operators: one page a question. Its content is workbook.json.'

@description('Azure region.')
param location string

@description('Tags of the workbook.')
param tags object

@description('Title in the portal.')
param title string

@description('Resource id of the Log Analytics workspace that it asks.')
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'drift-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: title
    serializedData: loadTextContent('workbook.json')
    sourceId: workspaceId
    version: '1.0'
  }
}

@description('Resource id of the workbook.')
output id string = workbook.id
